#!/bin/sh
# Trains the bundled sentiment model again. EXEGESIS_DATA names the folder that holds sst2/ and sst-trees/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-src/exegesis/models/bundled/sentiment}
cd "$here/../.."
python "$here/prepare.py" "${EXEGESIS_DATA:?name the data folder}" runs/sst
exegesis train runs/sst --neutral neutral --arch bilstm --embedding 100 --hidden 100 --min-count 2 \
  --embedding-dropout 0.4 --word-dropout 0.05 --average 0.9995 --lr 0.001 --epochs 5 --seed 0 \
  --about experiments/bundled-model/about.md --half --out "$out" --overwrite
