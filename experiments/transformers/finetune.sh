#!/bin/sh
# Fine-tunes one encoder for every task: sh experiments/transformers/finetune.sh ENCODER DATA OUT [TASK ...]
# What is there is left alone, what was interrupted goes on. The accuracies stand in OUT/TASK/README.md.
encoder=$1 data=$2 out=$3
shift 3
mkdir -p "$out"

train() {
    task=$1
    shift
    test -d "$out/$task" && return
    resume=
    test -d "$out/$task.checkpoint" && resume=--resume
    python -m exegesis train "$@" --arch "hf:$encoder" --out "$out/$task" -q $resume
}

for task in ${*:-sst2 nli cola wnut17 ewt mrpc}; do
    case $task in
    sst2) train sst2 "$data/sst2" --epochs 2 --names negative,positive ;;
    cola) train cola "$data/cola/train.tsv" --dev "$data/cola/val.tsv" --test "$data/cola/dev.tsv" \
        --no-header --column 4 --label 2 --names unacceptable,acceptable --epochs 3 ;;
    mrpc) train mrpc "$data/pairs/MRPC/msr_paraphrase_train.txt" --test "$data/pairs/MRPC/msr_paraphrase_test.txt" \
        --column "#1 String" --pair-column "#2 String" --label Quality --names different,paraphrase --epochs 2 ;;
    nli) train nli "$data/counterfactual/NLI/all_combined" --column sentence1 --pair-column sentence2 \
        --label gold_label --epochs 2 ;;
    ewt) train ewt "$data/ewt/en_ewt-ud-train.conllu" --dev "$data/ewt/en_ewt-ud-dev.conllu" \
        --test "$data/ewt/en_ewt-ud-test.conllu" --tags --epochs 1 --lr 1e-4 ;;
    wnut17) train wnut17 "$data/wnut17/wnut17train.conll" --dev "$data/wnut17/emerging.dev.conll" \
        --test "$data/wnut17/emerging.test.annotated" --tags --epochs 3 --lr 1e-4 ;;
    *) echo "unknown task $task" >&2 && exit 2 ;;
    esac
done
