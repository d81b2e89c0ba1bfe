"""Classifiers of convolutions."""

from keras_hub import models as hub

from hub_zoo.making import CLASSES, LARGE, PYRAMID, SMALL, net


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
