"""Small nets with drawn weights, one for each family of image nets of keras-hub.

Each function makes a model, and with it the shape of its images, or the drawn arrays of all its inputs.
What does not end in (images, classes) gets a head: the mean over positions of all it puts out, and a
dense layer.
"""

import keras
import numpy as np
from keras import layers
from keras_hub import layers as hub_layers
from keras_hub import models as hub

import keras_fullgrad as ke

CLASSES = 3
SMALL, LARGE = (32, 32, 3), (64, 64, 3)
NETS = {}
VIT = {"num_layers": 2, "hidden_dim": 16, "num_heads": 2}
PYRAMID = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [3],
    "stackwise_num_filters": [64, 8, 8, 16],
    "stackwise_num_blocks": [1, 1, 1, 1],
    "stackwise_num_strides": [1, 2, 2, 2],
}


def net(make):
    """Registers a net by the name of its function."""
    NETS[make.__name__] = make
    return make


def make(name, seed):
    """A net with drawn weights, the drawn inputs of two images, and which input is the image."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    model, *others = NETS[name]()
    image = next(x for x in model.inputs if x.shape[-1] == 3)
    inputs = random.normal(size=(2, *image.shape[1:])).astype("float32")
    source = None
    if others:
        source = next(key for key, x in model.input.items() if x is image)
        inputs = {source: inputs, **others[0]}
    draw_weights(model, random)
    draw_statistics(model, inputs, random)
    return model, inputs, source


def draw_weights(model, random):
    """Draws what a fresh net has as a constant: biases, factors, tokens, scales of layers."""
    for weight in model.weights:
        value = np.asarray(weight)
        if value.dtype.kind != "f" or not value.size:
            continue
        kind = weight.path.split("/")[-1]
        if kind in ("gamma", "moving_variance", "scale") or (np.ptp(value) == 0 and value.flat[0] > 0):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif kind in ("bias", "beta", "moving_mean") or np.ptp(value) == 0:
            weight.assign(random.normal(0, 0.3, weight.shape))


def draw_statistics(model, inputs, random):
    """Draws statistics around the scale of what the images give, so that signals neither die nor blow up."""
    norms = [x for x in ke.inspection.flatten_layers(model) if isinstance(x, layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(inputs, training=True)
    for norm in norms:
        mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
        scale = np.full_like(variance, np.mean(np.square(mean) + variance))
        norm.moving_mean.assign(random.normal(0, 0.5, mean.shape) * np.sqrt(scale))
        norm.moving_variance.assign(scale * random.uniform(0.5, 2, scale.shape))


def with_head(model, outputs=None):
    """The model, its outputs' means over positions, and a dense layer."""
    outputs = keras.tree.flatten(model.output if outputs is None else outputs)
    means = []
    for x in outputs:
        if len(x.shape) > 2:
            x = layers.Reshape((-1, x.shape[-1]))(x)
            x = layers.GlobalAveragePooling1D()(x)
        means.append(x)
    x = layers.Concatenate()(means) if len(means) > 1 else means[0]
    return keras.Model(model.input, layers.Dense(CLASSES, name="added_head")(x))


def resnet_of(shape=SMALL, block="basic_block", **options):
    return hub.ResNetBackbone(block_type=block, image_shape=shape, **PYRAMID | options)


def resnet_classifier(**options):
    return [hub.ResNetImageClassifier(resnet_of(**options), num_classes=CLASSES)]


@net
def resnet_v1_basic():
    return resnet_classifier()


@net
def resnet_v1_bottleneck():
    return resnet_classifier(block="bottleneck_block")


@net
def resnet_v2_basic():
    return resnet_classifier(use_pre_activation=True)


@net
def resnet_v2_bottleneck():
    return resnet_classifier(block="bottleneck_block", use_pre_activation=True)


STEM_OF_THREE = {"input_conv_filters": [8, 8, 64], "input_conv_kernel_sizes": [3, 3, 3]}


@net
def resnet_vd_basic():
    return resnet_classifier(block="basic_block_vd", **STEM_OF_THREE)


@net
def resnet_vd_bottleneck():
    return resnet_classifier(block="bottleneck_block_vd", **STEM_OF_THREE)


@net
def densenet():
    backbone = hub.DenseNetBackbone([2, 2, 2], image_shape=SMALL, growth_rate=4)
    return [hub.DenseNetImageClassifier(backbone, num_classes=CLASSES)]


@net
def vgg():
    backbone = hub.VGGBackbone([1, 2, 2], [4, 8, 8], image_shape=LARGE)
    return [hub.VGGImageClassifier(backbone, num_classes=CLASSES, pooling_hidden_dim=8)]


@net
def xception():
    backbone = hub.XceptionBackbone(
        [[4, 8], [16, 16], [16, 16], [16]], [False, True, False, False], image_shape=SMALL
    )
    return [hub.XceptionImageClassifier(backbone, num_classes=CLASSES)]


def efficientnet_of(kinds, ratio, **options):
    backbone = hub.EfficientNetBackbone(
        stackwise_kernel_sizes=[3, 5, 3],
        stackwise_num_repeats=[1, 2, 1],
        stackwise_input_filters=[8, 8, 8],
        stackwise_output_filters=[8, 8, 16],
        stackwise_expansion_ratios=[1, 4, 4],
        stackwise_squeeze_and_excite_ratios=[ratio] * 3,
        stackwise_strides=[1, 2, 2],
        stackwise_block_types=kinds,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        input_shape=SMALL,
        num_features=16,
        **options,
    )
    return [hub.EfficientNetImageClassifier(backbone, num_classes=CLASSES)]


@net
def efficientnet_v1():
    return efficientnet_of(["v1"] * 3, 0.25)


@net
def efficientnet_lite():
    return efficientnet_of(["v1"] * 3, 0.0, activation="relu6")


@net
def efficientnet_v2():
    return efficientnet_of(["fused", "fused", "unfused"], 0.25)


@net
def efficientnet_el():
    return efficientnet_of(["fused", "fused", "cba"], 0.0, activation="relu")


def mobilenet_of(**options):
    backbone = hub.MobileNetBackbone(
        **{
            "stackwise_expansion": [[16, 24], [24, 32]],
            "stackwise_num_blocks": [2, 2],
            "stackwise_num_filters": [[8, 8], [16, 16]],
            "stackwise_kernel_size": [[3, 3], [5, 5]],
            "stackwise_num_strides": [[2, 1], [2, 1]],
            "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
            "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
            "stackwise_padding": [[1, 1], [2, 2]],
            "output_num_filters": 32,
            "input_activation": "hard_swish",
            "output_activation": "hard_swish",
            "input_num_filters": 8,
            "image_shape": SMALL,
            "depthwise_filters": 8,
            "depthwise_stride": 2,
            "depthwise_residual": False,
            "squeeze_and_excite": 0.5,
            "last_layer_filter": 32,
        }
        | options
    )
    return [hub.MobileNetImageClassifier(backbone, num_classes=CLASSES, num_features=16)]


@net
def mobilenet_v3():
    return mobilenet_of()


@net
def mobilenet_v2():
    relu6 = [["relu6", "relu6"]] * 2
    return mobilenet_of(
        stackwise_se_ratio=[[None, None]] * 2,
        stackwise_activation=relu6,
        input_activation="relu6",
        output_activation="relu6",
        squeeze_and_excite=None,
        depthwise_residual=True,
        depthwise_stride=1,
    )


def stages(first, second):
    return [[first], [second, second]]


def mobilenet_v5_of(kinds, **options):
    backbone = hub.MobileNetV5Backbone(
        **{
            "stackwise_block_types": kinds,
            "stackwise_num_blocks": [1, 2],
            "stackwise_num_filters": stages(8, 16),
            "stackwise_strides": [[2], [2, 1]],
            "stackwise_act_layers": stages("gelu", "gelu"),
            "stackwise_exp_ratios": stages(4.0, 4.0),
            "stackwise_se_ratios": stages(0.0, 0.0),
            "stackwise_dw_kernel_sizes": stages(0, 5),
            "stackwise_dw_start_kernel_sizes": stages(0, 3),
            "stackwise_dw_end_kernel_sizes": stages(0, 0),
            "stackwise_exp_kernel_sizes": stages(3, 0),
            "stackwise_pw_kernel_sizes": stages(1, 0),
            "stackwise_num_heads": stages(0, 2),
            "stackwise_key_dims": stages(0, 8),
            "stackwise_value_dims": stages(0, 8),
            "stackwise_kv_strides": stages(0, 1),
            "stackwise_use_cpe": stages(False, False),
            "stem_size": 8,
            "num_features": 16,
            "use_msfa": False,
            "layer_scale_init_value": 0.5,
            "image_shape": SMALL,
        }
        | options
    )
    return [hub.MobileNetV5ImageClassifier(backbone, num_classes=CLASSES, head_hidden_size=16)]


@net
def mobilenet_v5():
    return mobilenet_v5_of([["er"], ["uir", "uir"]])


@net
def mobilenet_v5_attention():
    return mobilenet_v5_of([["er"], ["uir", "mqa"]], use_msfa=True, msfa_output_resolution=4)


def cspnet_of(stage, block, **options):
    backbone = hub.CSPNetBackbone(
        stem_filters=8,
        stem_kernel_size=3,
        stem_strides=2,
        stackwise_depth=[1, 2],
        stackwise_strides=[2, 2],
        stackwise_num_filters=[16, 16],
        block_type=block,
        stage_type=stage,
        image_shape=SMALL,
        **options,
    )
    return [hub.CSPNetImageClassifier(backbone, num_classes=CLASSES)]


@net
def darknet():
    return cspnet_of("dark", "dark_block", bottle_ratio=[0.5])


@net
def csp_darknet():
    return cspnet_of("csp", "dark_block", expand_ratio=[2.0], bottle_ratio=[0.5])


@net
def csp_resnext():
    return cspnet_of(
        "csp", "bottleneck_block", groups=4, expand_ratio=[2.0], avg_down=True, cross_linear=True
    )


@net
def cs3_edge():
    return cspnet_of("cs3", "edge_block", expand_ratio=[2.0], activation="silu")


def hgnetv2_of(shape=SMALL, **options):
    return hub.HGNetV2Backbone(
        **{
            "depths": [1, 1, 1],
            "embedding_size": 8,
            "hidden_sizes": [16, 16, 32],
            "stem_channels": [3, 8, 8],
            "hidden_act": "relu",
            "use_learnable_affine_block": True,
            "stackwise_stage_filters": [[8, 8, 16, 1, 2, 3], [16, 8, 16, 1, 2, 3], [16, 8, 32, 1, 2, 5]],
            "apply_downsample": [False, True, True],
            "use_lightweight_conv_block": [False, False, True],
            "image_shape": shape,
        }
        | options
    )


@net
def hgnetv2():
    return [hub.HGNetV2ImageClassifier(hgnetv2_of(), None, CLASSES)]


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
