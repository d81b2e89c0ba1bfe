"""Transformers, and the image part of nets that read text too."""

import keras
import numpy as np
from keras_hub import layers as hub_layers
from keras_hub import models as hub

from hub_zoo.making import CLASSES, LARGE, SMALL, VIT, net, with_head


@net
def vit():
    backbone = hub.ViTBackbone(SMALL, (8, 8), mlp_dim=32, **VIT)
    return [hub.ViTImageClassifier(backbone, num_classes=CLASSES)]


@net
def vit_mean():
    backbone = hub.ViTBackbone(SMALL, (8, 8), mlp_dim=32, use_class_token=False, **VIT)
    return [hub.ViTImageClassifier(backbone, num_classes=CLASSES, pooling="gap", intermediate_dim=8)]


@net
def deit():
    backbone = hub.DeiTBackbone(SMALL, (8, 8), intermediate_dim=32, **VIT)
    return [hub.DeiTImageClassifier(backbone, num_classes=CLASSES)]


def dinov2_of(**options):
    options = {"position_embedding_shape": (48, 48), "num_register_tokens": 2} | options
    return hub.DINOV2Backbone(8, intermediate_dim=32, image_shape=SMALL, **VIT | options)


@net
def dinov2():
    return [with_head(dinov2_of())]


@net
def dinov2_swiglu():
    return [with_head(dinov2_of(use_swiglu_ffn=True, apply_layernorm=True))]


@net
def dinov3():
    return [with_head(hub.DINOV3Backbone(8, intermediate_dim=32, image_shape=SMALL, **VIT))]


@net
def dinov3_gated():
    options = {"use_gated_mlp": True, "hidden_activation": "silu", "apply_layernorm": True}
    return [with_head(hub.DINOV3Backbone(8, intermediate_dim=32, image_shape=SMALL, **VIT | options))]


@net
def swin():
    backbone = hub.SwinTransformerBackbone(SMALL, embed_dim=8, depths=(2, 2), num_heads=(2, 2), window_size=4)
    return [hub.SwinTransformerImageClassifier(backbone, num_classes=CLASSES)]


def mit_of():
    return hub.MiTBackbone(
        layerwise_depths=[1, 1, 1, 1],
        num_layers=4,
        layerwise_num_heads=[1, 2, 2, 2],
        layerwise_sr_ratios=[4, 2, 1, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        image_shape=LARGE,
        hidden_dims=[8, 12, 16, 24],
    )


@net
def mit():
    return [hub.MiTImageClassifier(mit_of(), num_classes=CLASSES)]


@net
def sam3_vision():
    image = keras.Input(SMALL)
    encoder = hub_layers.SAM3VisionEncoder(
        image_shape=SMALL,
        patch_size=4,
        num_layers=2,
        hidden_dim=16,
        intermediate_dim=32,
        num_heads=2,
        fpn_hidden_dim=8,
        fpn_scale_factors=[2.0, 1.0, 0.5],
        pretrain_image_shape=(16, 16, 3),
        window_size=4,
        global_attn_indexes=[1],
    )
    return [with_head(keras.Model(image, encoder(image)[0]))]


@net
def clip_vision():
    return [with_head(hub.CLIPVisionEncoder(8, intermediate_dim=32, image_shape=SMALL, **VIT))]


@net
def metaclip_2_vision():
    return [with_head(hub.MetaCLIP2VisionEncoder(8, intermediate_dim=32, image_shape=SMALL, **VIT))]


@net
def siglip_vision():
    # Its default, "gelu_approximate", is a name that Keras does not know by itself.
    return [
        with_head(
            hub.SigLIPVisionEncoder(
                8, intermediate_dim=32, intermediate_activation="gelu", image_shape=SMALL, **VIT
            )
        )
    ]


@net
def video_prism():
    return [
        with_head(
            hub.VideoPrismBackbone(
                num_frames=2,
                patch_size=8,
                hidden_dim=16,
                intermediate_dim=32,
                num_heads=2,
                num_spatial_layers=1,
                num_temporal_layers=1,
                num_auxiliary_layers=0,
                image_shape=SMALL,
            )
        )
    ]


@net
def parseq():
    encoder = hub.ViTBackbone(SMALL, (8, 8), mlp_dim=32, use_class_token=False, **VIT)
    model = hub.PARSeqBackbone(
        encoder,
        vocabulary_size=10,
        max_label_length=5,
        decoder_hidden_dim=16,
        num_decoder_layers=1,
        num_decoder_heads=2,
        decoder_mlp_dim=32,
    )
    tokens = np.array([[1, 4, 5], [1, 6, 7]], "int32")
    return [with_head(model), {"token_ids": tokens, "padding_mask": np.ones_like(tokens)}]
