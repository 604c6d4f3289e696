#!/bin/bash
# The models of Table 2 (Guan et al. 2019) at a size that one core trains in half a minute each, Transformers with other
# L2 penalties (Fig. 4), and an LSTM with the study of every layer after every epoch (Fig. 9). A model that is there is
# not trained again, an interrupted one goes on. ENCODER is the folder of a pre-trained BERT such as MiniLM.
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

sst=("$data/sst2")
cola=("$data/cola/train.tsv" --dev "$data/cola/val.tsv" --test "$data/cola/dev.tsv" --no-header --text 4 --label 2)
mrpc=("$data/pairs/MRPC/msr_paraphrase_train.txt" --test "$data/pairs/MRPC/msr_paraphrase_test.txt" --header --text 4 --pair 5 --label 1)
lstm=(--arch bilstm --layers 4 --readout max --embedding 64 --hidden 32)
transformer=(--arch transformer --embedding 64 --feedforward 256 --lr 5e-4)
cnn=(--arch cnn --embedding 64 --hidden 32)
small=(--epochs 4 --patience 4 --min-count 2 --seed 0)

for task in sst2 cola mrpc; do
  case $task in sst2) read=("${sst[@]}") ;; cola) read=("${cola[@]}") ;; mrpc) read=("${mrpc[@]}") ;; esac
  train $task-lstm "${read[@]}" "${lstm[@]}" "${small[@]}"
  train $task-transformer "${read[@]}" "${transformer[@]}" "${small[@]}"
  train $task-cnn "${read[@]}" "${cnn[@]}" "${small[@]}"
  if [ -n "$encoder" ] && [ $task = sst2 ]; then # 1,600 training texts, one epoch: two minutes of a core
    shuf -n 1600 --random-source="$data/sst2/train.tsv" "$data/sst2/train.tsv" > "$out/sst2-1600.tsv"
    train sst2-bert "$out/sst2-1600.tsv" --no-header --dev "$data/sst2/dev.tsv" --test "$data/sst2/test.tsv" \
      --arch "hf:$encoder" --epochs 1 --seed 0
  fi
done
for alpha in 1e-4 1e-3 3e-3; do
  train alpha-$alpha "${sst[@]}" "${transformer[@]}" --weight-decay $alpha "${small[@]}"
done
train flow "${sst[@]}" --arch bilstm --layers 2 --readout max --embedding 48 --hidden 32 --epochs 4 --patience 4 \
  --information "$out/flow.json" --min-count 2 --seed 0
