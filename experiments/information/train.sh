#!/bin/bash
# The models of Table 2 (Guan et al. 2019) at a size that two cores train in minutes, five Transformers with other L2
# penalties (Fig. 4), and last an LSTM with the study of every layer after every epoch (Fig. 9).
# bash experiments/information/train.sh DATA OUT
set -eu
data=$1 out=$2
mkdir -p "$out"

train() { # name, data, options
  local name=$1 where=$2
  shift 2
  [ -e "$out/$name/README.md" ] && return # trained before
  exegesis train "$where" --out "$out/$name" --resume --quiet "$@"
}

small=(--min-count 2 --seed 0)
sst="$data/sst2" cola="$data/cola"
cola() { train "$1" "$cola/train.tsv" --dev "$cola/val.tsv" --test "$cola/dev.tsv" --no-header --text 4 --label 2 "${@:2}" "${small[@]}"; }

train sst2-lstm "$sst" --arch bilstm --layers 4 --readout max --embedding 96 --hidden 48 --epochs 6 --patience 3 "${small[@]}"
train sst2-transformer "$sst" --arch transformer --embedding 96 --feedforward 384 --lr 3e-4 --epochs 10 --patience 4 "${small[@]}"
train sst2-cnn "$sst" --arch cnn --embedding 96 --hidden 48 --epochs 8 --patience 3 "${small[@]}"
cola cola-lstm --arch bilstm --layers 4 --readout max --embedding 96 --hidden 48 --epochs 6 --patience 3
cola cola-transformer --arch transformer --embedding 96 --feedforward 384 --lr 3e-4 --epochs 10 --patience 4
cola cola-cnn --arch cnn --embedding 96 --hidden 48 --epochs 8 --patience 3
for alpha in 0 1e-5 3e-5 1e-4 3e-4; do
  train "alpha-$alpha" "$sst" --arch transformer --embedding 96 --feedforward 384 --lr 3e-4 --epochs 6 --patience 6 \
    --weight-decay $alpha "${small[@]}"
done
train flow "$sst" --arch bilstm --layers 2 --readout max --embedding 48 --hidden 32 --epochs 4 --patience 4 \
  --information "$out/flow.json" "${small[@]}"
