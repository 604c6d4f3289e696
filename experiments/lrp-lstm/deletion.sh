#!/usr/bin/env sh
# Figure 11.5 in one command: phrases of the treebank, the bidirectional LSTM, words deleted.
#     EXEGESIS_DATA=/where/the/data/is sh experiments/lrp-lstm/deletion.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
runs=${RUNS:-"$here/../../runs/lrp-lstm"}
model="$runs/treebank-bilstm"
python "$here/treebank.py" "$EXEGESIS_DATA" "$runs/treebank"
if [ ! -d "$model" ]; then
    exegesis train "$runs/treebank" --arch bilstm --embedding 60 --hidden 60 --readout last --dropout 0.5 \
        --word-dropout 0.05 --epochs 12 --patience 3 --batch 128 --lr 0.002 --seed 0 \
        --names "very negative,negative,neutral,positive,very positive" --out "$model"
fi
python "$here/deletion.py" "$EXEGESIS_DATA" --model "$model" --out "$here"
