#!/bin/sh
# Fine-tunes one encoder for every task: sh experiments/transformers/finetune.sh ENCODER DATA OUT [TASK ...]
# With PART=N in the environment on N drawn training examples and 300 drawn development ones, for one epoch of long
# steps. What is there is left alone, what was interrupted goes on. The accuracies stand in OUT/TASK/README.md.
encoder=$1 data=$2 out=$3
here=$(dirname "$0")
shift 3
mkdir -p "$out"

part() {  # a file, or the drawn part of it: FILE COUNT NAME [--header]
    file=$1 count=$2 name=$3
    shift 3
    if test -z "$PART"; then
        echo "$file"
    else
        python "$here/part.py" "$file" "$count" "$out/$name" "$@"
        echo "$out/$name"
    fi
}

train() {  # TASK EPOCHS LR TRAIN DEV TEST options
    task=$1 epochs=$2 lr=$3 kind=$4 train=$5 dev=$6 test=$7
    shift 7
    test -d "$out/$task" && return
    resume=
    test -d "$out/$task.checkpoint" && resume=--resume
    header=
    test "$kind" = header && header=--header
    ending=${train##*.}
    test "$ending" = "$train" && ending=txt
    fit=$(part "$train" "$PART" "$task-train.$ending" $header)
    test -n "$dev" && set -- "$@" --dev "$(part "$dev" 300 "$task-dev.$ending" $header)"  # else a tenth is set aside
    test -n "$PART" && epochs=1 lr=1e-4
    python -m exegesis train "$fit" --test "$test" "$@" --epochs "$epochs" --lr "$lr" \
        --arch "hf:$encoder" --out "$out/$task" -q $resume
}

for task in ${*:-sst2 nli cola wnut17 ewt mrpc}; do
    case $task in
    sst2) train sst2 2 5e-5 rows "$data/sst2/train.tsv" "$data/sst2/dev.tsv" "$data/sst2/test.tsv" \
        --names negative,positive ;;
    cola) train cola 3 5e-5 rows "$data/cola/train.tsv" "$data/cola/val.tsv" "$data/cola/dev.tsv" \
        --no-header --column 4 --label 2 --names unacceptable,acceptable ;;
    mrpc) mrpc="$data/pairs/MRPC/msr_paraphrase"
        for split in train test; do cp "${mrpc}_$split.txt" "$out/msr-$split.tsv"; done  # tables, whatever their name
        train mrpc 2 1e-4 header "$out/msr-train.tsv" "" "$out/msr-test.tsv" \
            --column "#1 String" --pair-column "#2 String" --label Quality --names different,paraphrase ;;
    nli) nli="$data/counterfactual/NLI/all_combined"
        train nli 1 1e-4 header "$nli/train.tsv" "$nli/dev.tsv" "$nli/test.tsv" \
            --column sentence1 --pair-column sentence2 --label gold_label ;;
    ewt) ewt="$data/ewt/en_ewt-ud"
        train ewt 1 1e-4 rows "$ewt-train.conllu" "$ewt-dev.conllu" "$ewt-test.conllu" --tags ;;
    wnut17) wnut="$data/wnut17"
        train wnut17 2 1e-4 rows "$wnut/wnut17train.conll" "$wnut/emerging.dev.conll" "$wnut/emerging.test.annotated" \
            --tags ;;
    *) echo "unknown task $task" >&2 && exit 2 ;;
    esac
done
