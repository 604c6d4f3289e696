#!/bin/bash
# Every experiment of Guan et al. 2019 that is repeated here, in the order of the paper; each goes on where it was
# interrupted, and what is there is not made again. About three quarters of an hour of one core without ENCODER.
# bash experiments/information/all.sh DATA OUT [ENCODER]
set -eu
data=$1 out=$2 encoder=${3:-}
here=$(dirname "$0") test="$data/sst2/test.tsv" models=()
bash "$here/train.sh" "$@" # Table 2
for name in sst2-lstm sst2-transformer sst2-cnn; do models+=("$out/$name"); done

python "$here/seeds.py" "${models[@]:0:2}" --data "$test" --texts 20 --longest 12 --out "$out"
[ -e "$out/reversal-0.0001.json" ] || python "$here/reversal.py" --out "$out" # Figure 2
python "$here/coherence.py" "$out/sst2-lstm" --kind layers --data "$test" --texts 12 --longest 12 --out "$out" # Figure 3
python "$here/coherence.py" "$out"/{sst2-transformer,alpha-1e-3,alpha-3e-3,alpha-1e-2} --kind models --data "$test" \
  --texts 12 --longest 12 --out "$out" # Figure 4
python "$here/words.py" "${models[@]}" --data "$test" --texts 100 --longest 20 --out "$out" # Figures 5 to 7
for model in "${models[@]}"; do # Figure 8; "unhappiness" is no word of these vocabularies
  figure="$out/figure8-$(basename "$model")"
  [ -e "$figure.json" ] || exegesis explain "domestic tension and tragedy" --inside attributes --word tragedy \
    --concepts "$here/../../examples/concepts" --model "$model" --json "$figure.json" --figure "$figure.svg"
done
python "$here/flow.py" --data "$data/sst2" --texts 16 --longest 12 --epochs 6 --out "$out" # Figure 9
if [ -n "$encoder" ]; then # a minute of a core for each text
  python "$here/seeds.py" "$out/sst2-bert" --data "$test" --texts 4 --longest 12 --out "$out/bert"
  python "$here/words.py" "$out/sst2-bert" --data "$test" --texts 12 --longest 12 --out "$out/bert"
fi
