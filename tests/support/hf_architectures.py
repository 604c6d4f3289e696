"""A tiny model of every architecture that transformers classifies texts with, made from its own configuration."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES

import tests.support.hf_toys as hf_toys

SIZE, POSITIONS, LABELS = 100, 64, 3
ROLES = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
UNBUILT = {
    "layoutlmv2": "needs detectron2 and a picture",
    "mra": "attends to nothing without its CUDA kernels: every text gets one answer",
}

# What a configuration calls its sizes; set where it has the name.
SMALL = {
    16: "hidden_size d_model n_embd dim emb_dim word_embed_proj_dim pooler_hidden_size d_latents shape_embed_dim "
    "pronunciation_embed_dim prediction_head_size",
    12: "embedding_size input_embedding_size",
    2: "num_hidden_layers n_layer n_layers encoder_layers decoder_layers num_layers num_decoder_layers n_head n_heads "
    "encoder_attention_heads decoder_attention_heads num_attention_heads num_heads num_key_value_heads num_kv_heads "
    "num_self_attention_heads num_cross_attention_heads num_self_attends_per_block num_experts_per_tok n_mamba_heads "
    "index_n_heads n_group topk_group linear_num_key_heads linear_num_value_heads",
    32: "intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim d_inner d_ff dff ffn_hidden_size hidden_dim "
    "feed_forward_size moe_intermediate_size shared_expert_intermediate_size max_2d_position_embeddings",
    8: "head_dim d_head d_kv attention_head_size v_head_dim qk_nope_head_dim qk_rope_head_dim kv_lora_rank q_lora_rank "
    "mamba_d_state linear_key_head_dim linear_value_head_dim index_head_dim kv_channels query_pre_attn_scalar "
    "pronunciation_vocab_size shape_vocab_size max_xpath_tag_unit_embeddings max_xpath_subs_unit_embeddings",
    4: "n_routed_experts num_experts num_local_experts local_attn_chunk_length lsh_attn_chunk_length",
    POSITIONS: "max_position_embeddings n_positions n_ctx",
    SIZE: "vocab_size",
}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_BOTH = {kind: dict(_ROPE) for kind in ("full_attention", "sliding_attention")}
_LINEAR = ["linear_attention", "full_attention"]
_BIRD = {"block_size": 4, "num_random_blocks": 1}
_MAMBA = {"use_mamba_kernels": False, "mamba_dt_rank": 4}
_TEXT = {
    "vocab_size": SIZE, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": POSITIONS, **ROLES,
}  # fmt: skip
_GEMMA = {**_TEXT, "query_pre_attn_scalar": 8, "sliding_window": 8}
_SIGHT = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16,
    "patch_size": 8,
}  # fmt: skip
_IMAGES = {"image_token_index": 98, "boi_token_index": 97, "eoi_token_index": 96}

# What the sizes above do not settle.
MORE: dict[str, dict[str, Any]] = {
    "big_bird": _BIRD,
    "bigbird_pegasus": _BIRD,
    "canine": {"num_hash_buckets": POSITIONS, "num_hash_functions": 2},
    "cohere_compass_text": {
        "layer_types": ["full_attention", "sliding_attention"], "sliding_window": 8, "rope_parameters": _BOTH,
    },
    "convbert": {"head_ratio": 1, "conv_kernel_size": 3},
    "deberta": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "deepseek_v2": {"first_k_dense_replace": 1},
    "deepseek_v3": {"first_k_dense_replace": 1},
    "esm": {"position_embedding_type": "rotary", "mask_token_id": 4},
    "funnel": {"block_sizes": [1, 1]},
    "gemma3": {"text_config": _GEMMA, "vision_config": _SIGHT, "mm_tokens_per_image": 4, **_IMAGES},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gptj": {"rotary_dim": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, **_MAMBA},
    "layoutlmv3": {"hidden_size": 24, "coordinate_size": 4, "shape_size": 4, "visual_embed": False},
    "lilt": {"hidden_size": 24},
    "longformer": {"attention_window": [4, 4]},
    "luke": {"entity_vocab_size": 20, "entity_emb_size": 8},
    "markuplm": {"xpath_unit_hidden_size": 4, "max_depth": 4, "tag_pad_id": 7, "subs_pad_id": 7},
    "minimax": {"block_size": 8},
    "mistral4": {
        "rope_parameters": {**_ROPE, "llama_4_scaling_beta": 0.1, "original_max_position_embeddings": 8192},
        "n_group": 1, "topk_group": 1,
    },
    "mobilebert": {"intra_bottleneck_size": 8, "embedding_size": 16, "true_hidden_size": 8},
    "modernvbert": {"text_config": _TEXT, "vision_config": _SIGHT, "image_token_id": 98},
    "nystromformer": {"num_landmarks": 4, "segment_means_seq_len": 4},
    "perceiver": {"num_latents": 4, "num_blocks": 1},
    "phi": {"partial_rotary_factor": 0.5},
    "qwen3_5": {
        "text_config": {
            **_TEXT, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
            "linear_num_value_heads": 2, "layer_types": _LINEAR,
        },
        "vision_config": {
            "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 16,
        },
        "image_token_id": 98, "video_token_id": 97, "vision_start_token_id": 96, "vision_end_token_id": 95,
    },
    "qwen3_5_text": {"layer_types": _LINEAR},
    "qwen3_next": {"layer_types": _LINEAR},
    "reformer": {
        "axial_pos_embds_dim": [8, 8], "axial_pos_shape": [8, 8], "attn_layers": ["local", "lsh"], "num_buckets": 4,
        "hash_seed": 0,
    },
    "rembert": {"output_embedding_size": 16},
    "squeezebert": {
        "embedding_size": 16, "q_groups": 2, "k_groups": 2, "v_groups": 2, "intermediate_groups": 2, "output_groups": 2,
    },
    "t5gemma": {"encoder": _GEMMA, "decoder": _GEMMA, "vocab_size": SIZE},
    "t5gemma2": {
        "encoder": {"text_config": _GEMMA, "vision_config": _SIGHT, **_IMAGES}, "decoder": _GEMMA,
        "image_token_index": 98, "eoi_token_index": 96,
    },
    "ultravbert": {"text_config": _TEXT, "vision_config": _SIGHT, "image_token_id": 98},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "yoso": {"use_expectation": True},
    "zamba": {
        "num_hidden_layers": 4, "attention_hidden_size": 32, "attention_head_dim": 16,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], **_MAMBA,
    },
    "zamba2": {
        "attention_hidden_size": 32, "attention_head_dim": 16, "mamba_headdim": 16, "chunk_size": 8, "mamba_ngroups": 1,
        "adapter_rank": 4, "layers_block_type": ["mamba", "hybrid"], "num_query_groups": 2, **_MAMBA,
    },
}  # fmt: skip


def small(kind: str) -> transformers.PreTrainedModel:
    """A model of an architecture (a key of ``CLASSES``) with weights drawn large enough for everything to show."""
    made = transformers.CONFIG_MAPPING[kind]
    names = made().to_dict()
    sizes = {name: size for size, listed in SMALL.items() for name in listed.split() if name in names}
    aliases = getattr(made, "attribute_map", {})
    sizes = {name: size for name, size in sizes.items() if aliases.get(name) not in sizes}
    if kind in ("xlm", "flaubert"):
        sizes |= {"pad_index": 0, "n_langs": 1}
    if names.get("is_encoder_decoder"):
        sizes |= {"decoder_start_token_id": ROLES["eos_token_id"], "forced_eos_token_id": None}
    torch.manual_seed(0)
    config = made(**{**sizes, **ROLES, "num_labels": LABELS, **MORE.get(kind, {})})
    return hf_toys.drawn(getattr(transformers, CLASSES[kind])(config))
