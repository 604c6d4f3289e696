#!/bin/bash
# Plain, adversarial and interpretable adversarial training on SST-2, five seeds of each; test accuracies in OUT/*.txt.
# bash experiments/adversarial/sst2.sh DATA OUT
set -eu
data=$1 out=$2
mkdir -p "$out"
for seed in 0 1 2 3 4; do
  for kind in plain any words; do
    [ -e "$out/$kind-$seed.txt" ] && continue
    moved=()
    [ "$kind" = plain ] || moved=(--adversarial 5 --adversary "$kind")
    exegesis train "$data/sst2" --out "$out/$kind-$seed" --overwrite --arch cnn --kernels 1,3 --embedding 32 \
      --hidden 24 --epochs 4 --lr 2e-3 --patience 4 --min-count 2 --seed $seed "${moved[@]}" > "$out/$kind-$seed.log"
    mv "$out/$kind-$seed.log" "$out/$kind-$seed.txt"
  done
done
