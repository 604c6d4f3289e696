#!/bin/bash
# The models of Table 2 (Guan et al. 2019) at a size that one core trains in half a minute each, and Transformers with
# other L2 penalties (Fig. 4). A model that is there is not trained again, an interrupted one goes on. ENCODER is the
# folder of a pre-trained BERT such as MiniLM.
# bash experiments/information/train.sh DATA OUT [ENCODER]
set -eu
data=$1 out=$2 encoder=${3:-}
mkdir -p "$out"

train() { # name, data, options
  local name=$1 where=$2
  shift 2
  [ -e "$out/$name/README.md" ] && return # trained before
  exegesis train "$where" --out "$out/$name" --resume --quiet "$@"
}

lstm=(--arch bilstm --layers 4 --readout max --embedding 64 --hidden 32)
transformer=(--arch transformer --embedding 64 --feedforward 256 --lr 5e-4)
cnn=(--arch cnn --embedding 64 --hidden 32)
small=(--epochs 4 --patience 4 --min-count 2 --seed 0)

table() { # task, where its data are
  local task=$1
  shift
  train $task-lstm "$@" "${lstm[@]}" "${small[@]}"
  train $task-transformer "$@" "${transformer[@]}" "${small[@]}"
  train $task-cnn "$@" "${cnn[@]}" "${small[@]}"
}

table sst2 "$data/sst2"
for part in train test; do cp "$data/pairs/MRPC/msr_paraphrase_$part.txt" "$out/mrpc-$part.tsv"; done
table mrpc "$out/mrpc-train.tsv" --test "$out/mrpc-test.tsv" --header --text 4 --pair 5 --label 1
for alpha in 1e-3 3e-3 1e-2; do
  train alpha-$alpha "$data/sst2" "${transformer[@]}" --weight-decay $alpha "${small[@]}"
done
table cola "$data/cola/train.tsv" --dev "$data/cola/val.tsv" --test "$data/cola/dev.tsv" --no-header --text 4 --label 2
if [ -n "$encoder" ]; then # half an hour of a core
  bert=(--arch "hf:$encoder" --seed 0)
  train sst2-bert "$data/sst2" --epochs 2 "${bert[@]}"
  train mrpc-bert "$out/mrpc-train.tsv" --test "$out/mrpc-test.tsv" --header --text 4 --pair 5 --label 1 --epochs 2 \
    --lr 1e-4 "${bert[@]}"
  train cola-bert "$data/cola/train.tsv" --dev "$data/cola/val.tsv" --test "$data/cola/dev.tsv" --no-header --text 4 \
    --label 2 --epochs 3 "${bert[@]}"
fi
