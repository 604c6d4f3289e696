#!/usr/bin/env sh
# Table 3 in one command: LSTM, GRU and BiGRU on SST-2, one model a seed; what is finished is kept.
#     EXEGESIS_DATA=/where/the/data/is sh experiments/reat/train.sh
# With TEXTS=FOLDER RUNS=FOLDER: on other texts, such as the cut of Yelp that yelp.py makes.
# With VECTORS=FILE WIDTH=25 RUNS=FOLDER: on word vectors that are not tuned, as the paper's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
runs=${RUNS:-"$here/../../runs/reat"}
texts=${TEXTS:-"$EXEGESIS_DATA/sst2"}
mkdir -p "$runs"
if [ -n "${VECTORS:-}" ]; then
    words="--vectors $VECTORS --freeze --embedding $WIDTH"
else
    words="--embedding 300 --embedding-dropout 0.3 --min-count 2"
fi
for seed in ${SEEDS:-0 1 2 3 4}; do
    for arch in lstm gru bigru; do
        if [ ! -d "$runs/$arch-$seed" ]; then
            # shellcheck disable=SC2086  # $words are several arguments
            exegesis train "$texts" --arch "$arch" $words --hidden 150 --readout last \
                --epochs 20 --patience 4 --lr 0.001 --seed "$seed" --quiet --out "$runs/$arch-$seed"
        fi
    done
done
