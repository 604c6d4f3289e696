"""Tiny Hugging Face models and tokenizers of every kind, made here: nothing is downloaded."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = (
    "a word and some more of them, it's good",
    "don't you like the café? the naïve 漢字 film 🙂👍🏽",
    "what a fine film, really!  unbelievable acting; a dull plot",
    "שלום עולם, مرحبا بالعالم",
)
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNTYPED = ["input_ids", "attention_mask"]
TYPED = ["input_ids", "token_type_ids", "attention_mask"]


def wordpiece(*, lowercase: bool = True, inputs: list[str] = TYPED) -> PreTrainedTokenizerFast:
    """BERT's: lower case, accents stripped, control characters dropped, [UNK] for words it cannot spell."""
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.train_from_iterator(CORPUS[:1] + CORPUS[2:3], trainers.WordPieceTrainer(vocab_size=90, special_tokens=MARKS))
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=inputs,
    )  # fmt: skip


def whole_words() -> PreTrainedTokenizerFast:
    """Words between blanks, without any unknown one but [UNK]; no special pieces added."""
    core = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "film": 3, "good": 4}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]", model_input_names=UNTYPED
    )


def byte_bpe(*, roberta: bool = False) -> PreTrainedTokenizerFast:
    """GPT-2's byte-level BPE (blanks inside offsets, no pad token), or RoBERTa's."""
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if roberta else ["<|endoftext|>"]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=330, special_tokens=marks, initial_alphabet=alphabet)
    )
    if roberta:
        core.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
        return PreTrainedTokenizerFast(
            tokenizer_object=core, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
            unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", model_input_names=UNTYPED,
        )  # fmt: skip
    core.post_processor = processors.ByteLevel(trim_offsets=False)
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=end, eos_token=end, unk_token=end, model_input_names=UNTYPED
    )


def unigram() -> PreTrainedTokenizerFast:
    """SentencePiece's: NFKC, blanks as ▁, pieces that may join anything, <unk> for characters never seen."""
    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    core.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=120, special_tokens=marks, unk_token="<unk>"))
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
        mask_token="<mask>", model_input_names=UNTYPED,
    )  # fmt: skip


def byte_fallback() -> PreTrainedTokenizerFast:
    """Llama's: no cut at blanks, an unknown character as its bytes."""
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    marks = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    corpus = ["▁" + text.replace(" ", "▁") for text in CORPUS[::2]]
    core.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=380, special_tokens=marks[:3]))
    state = core.to_str()
    vocabulary, merges = _parts(state)
    for byte in marks[3:]:
        vocabulary.setdefault(byte, len(vocabulary))
    core.model = models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", model_input_names=UNTYPED
    )


def _parts(state: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    import json

    model = json.loads(state)["model"]
    return model["vocab"], [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["merges"]]


TOKENIZERS = {
    "wordpiece": wordpiece,
    "cased": lambda: wordpiece(lowercase=False),
    "whole words": whole_words,
    "byte-level": byte_bpe,
    "roberta": lambda: byte_bpe(roberta=True),
    "unigram": unigram,
    "byte fallback": byte_fallback,
}


def bert(labels: int = 3, layers: int = 2, **options: object) -> transformers.PreTrainedModel:
    return _made(
        transformers.BertForSequenceClassification,
        transformers.BertConfig(
            vocab_size=100, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=48, num_labels=labels, **options,
        ),
    )  # fmt: skip


def distilbert() -> transformers.PreTrainedModel:
    config = transformers.DistilBertConfig(
        vocab_size=100, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=48, num_labels=2
    )
    return _made(transformers.DistilBertForSequenceClassification, config)


def roberta() -> transformers.PreTrainedModel:
    config = transformers.RobertaConfig(
        vocab_size=340, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=98, type_vocab_size=1, num_labels=2,
    )  # fmt: skip
    return _made(transformers.RobertaForSequenceClassification, config)


def gpt2() -> transformers.PreTrainedModel:
    config = transformers.GPT2Config(
        vocab_size=330, n_embd=16, n_layer=2, n_head=2, n_positions=96, num_labels=2, bos_token_id=0, eos_token_id=0
    )
    return _made(transformers.GPT2ForSequenceClassification, config)


def xlm_roberta() -> transformers.PreTrainedModel:
    config = transformers.XLMRobertaConfig(
        vocab_size=130, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=98, type_vocab_size=1, num_labels=2, pad_token_id=0,
    )  # fmt: skip
    return _made(transformers.XLMRobertaForSequenceClassification, config)


def longformer() -> transformers.PreTrainedModel:
    """A model that pads by itself, to whole windows."""
    config = transformers.LongformerConfig(
        vocab_size=340, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=98, type_vocab_size=1, num_labels=2, attention_window=[4, 4],
    )  # fmt: skip
    return _made(transformers.LongformerForSequenceClassification, config)


def fnet() -> transformers.PreTrainedModel:
    """A model without an attention mask: padding always changes its outputs."""
    config = transformers.FNetConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=2, intermediate_size=32, max_position_embeddings=48
    )
    return _made(transformers.FNetForSequenceClassification, config)


def bart() -> transformers.PreTrainedModel:
    """An encoder-decoder: its words enter twice."""
    config = transformers.BartConfig(
        vocab_size=100, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, num_labels=2,
        bos_token_id=2, eos_token_id=3, decoder_start_token_id=3, forced_eos_token_id=3, pad_token_id=0,
    )  # fmt: skip
    return _made(transformers.BartForSequenceClassification, config)


def t5() -> transformers.PreTrainedModel:
    """An encoder-decoder of which both halves read through one embedding; texts end in piece 3."""
    config = transformers.T5Config(
        vocab_size=100, d_model=16, num_layers=1, num_heads=2, d_kv=8, d_ff=32, num_labels=2, eos_token_id=3,
        decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    return _made(transformers.T5ForSequenceClassification, config)


KINDS = {
    "bert": (bert, wordpiece),
    "distilbert": (distilbert, lambda: wordpiece(inputs=UNTYPED)),
    "roberta": (roberta, lambda: byte_bpe(roberta=True)),
    "gpt2": (gpt2, byte_bpe),
    "xlm-roberta": (xlm_roberta, unigram),
    "fnet": (fnet, lambda: wordpiece(inputs=TYPED[:2])),
}


def _made(cls: type, config: transformers.PreTrainedConfig) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    return drawn(cls(config)).double()


def drawn(module: transformers.PreTrainedModel) -> transformers.PreTrainedModel:
    """Weights large enough that padding, positions and order all show in the outputs."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.4 if weight.dim() > 1 else 0.2)
    return module.eval()
