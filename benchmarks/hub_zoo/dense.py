"""Segmenters, detectors, depth."""

import numpy as np
from keras_hub import layers as hub_layers
from keras_hub import models as hub

from hub_zoo.convolutions import hgnetv2_of, resnet_of
from hub_zoo.making import LARGE, SMALL, net, with_head
from hub_zoo.transformers import mit_of


@net
def segformer():
    backbone = hub.SegFormerBackbone(image_encoder=mit_of(), projection_filters=8)
    return [with_head(hub.SegFormerImageSegmenter(backbone, num_classes=4))]


@net
def deeplab_v3():
    encoder = resnet_of((None, None, 3))
    backbone = hub.DeepLabV3Backbone(
        encoder, "P4", 4, [2, 4], low_level_feature_key="P2", projection_filters=8, image_shape=SMALL
    )
    return [with_head(hub.DeepLabV3ImageSegmenter(backbone, num_classes=4))]


@net
def basnet():
    encoder = resnet_of((None, None, 3), stackwise_num_blocks=[2, 2, 2, 2])
    backbone = hub.BASNetBackbone(encoder, num_classes=1, image_shape=LARGE, projection_filters=64)
    return [with_head(hub.BASNetImageSegmenter(backbone))]


@net
def depth_anything():
    encoder = hub.DINOV2Backbone(
        4,
        num_layers=4,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=32,
        image_shape=SMALL,
        position_embedding_shape=(48, 48),
        apply_layernorm=True,
    )
    backbone = hub.DepthAnythingBackbone(
        encoder,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[8, 8, 16, 16],
        fusion_hidden_dim=8,
        head_hidden_dim=8,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )
    return [with_head(hub.DepthAnythingDepthEstimator(backbone, "relative"))]


@net
def retinanet():
    encoder = resnet_of((None, None, 3))
    backbone = hub.RetinaNetBackbone(encoder, min_level=3, max_level=6, use_p5=False, image_shape=LARGE)
    anchors = hub_layers.AnchorGenerator(
        bounding_box_format="yxyx",
        min_level=3,
        max_level=6,
        num_scales=1,
        aspect_ratios=[1.0],
        anchor_size=4.0,
    )
    return [
        with_head(
            hub.RetinaNetObjectDetector(
                backbone,
                num_classes=2,
                anchor_generator=anchors,
                pre_logits_num_conv_layers=1,
            )
        )
    ]


@net
def d_fine():
    features = ["stage2", "stage3"]
    backbone = hub.DFineBackbone(
        backbone=hgnetv2_of(LARGE, out_features=features),
        decoder_in_channels=[16, 16],
        encoder_hidden_dim=16,
        num_labels=4,
        num_denoising=0,
        learn_initial_query=False,
        num_queries=6,
        anchor_image_size=LARGE[:2],
        feat_strides=[8, 16],
        num_feature_levels=2,
        hidden_dim=16,
        encoder_in_channels=[16, 32],
        encode_proj_layers=[1],
        num_attention_heads=2,
        encoder_ffn_dim=32,
        num_encoder_layers=1,
        hidden_expansion=0.5,
        depth_multiplier=0.5,
        eval_idx=-1,
        num_decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        decoder_n_points=[3, 3],
        lqe_hidden_dim=8,
        num_lqe_layers=2,
        out_features=features,
        image_shape=LARGE,
        seed=0,
    )
    model = hub.DFineObjectDetector(backbone, num_classes=4)
    return [with_head(model, [model.output["logits"], model.output["pred_boxes"]])]


def vit_det_of(shape=LARGE):
    return hub.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=2,
        global_attention_layer_indices=[1],
        image_shape=shape,
        patch_size=8,
        num_output_channels=8,
        window_size=4,
    )


@net
def vit_det():
    return [with_head(vit_det_of())]


@net
def vit_det_padded():
    """Windows that the grid of patches does not fill."""
    return [with_head(vit_det_of((48, 48, 3)))]


@net
def sam():
    side, grid = LARGE[0], LARGE[0] // 8
    prompts = hub_layers.SAMPromptEncoder(
        hidden_size=8, image_embedding_size=(grid, grid), input_image_size=(side, side), mask_in_channels=4
    )
    decoder = hub_layers.SAMMaskDecoder(
        num_layers=2,
        hidden_size=8,
        intermediate_dim=16,
        num_heads=2,
        embedding_dim=8,
        num_multimask_outputs=3,
        iou_head_depth=2,
        iou_head_hidden_dim=8,
    )
    model = hub.SAMImageSegmenter(hub.SAMBackbone(vit_det_of(), prompts, decoder))
    random = np.random.default_rng(0)
    others = {
        "points": random.uniform(0, side, (2, 1, 2)),
        "labels": np.ones((2, 1)),
        "boxes": random.uniform(0, side, (2, 1, 2, 2)),
        "masks": np.zeros((2, 0, side, side, 1)),
    }
    others = {name: array.astype("float32") for name, array in others.items()}
    return [with_head(model), others]
