// The op's interface: its inputs and attributes, and the shape of its maps.

#include "compat.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fullgrad {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status infer_shape(InferenceContext* context) {
  std::vector<tensorflow::DataType> gradient_types, weight_types;
  TF_RETURN_IF_ERROR(context->GetAttr("gradient_types", &gradient_types));
  TF_RETURN_IF_ERROR(context->GetAttr("weight_types", &weight_types));
  const int terms = static_cast<int>(gradient_types.size());
  if (gradient_types.size() != weight_types.size()) {
    return invalid_argument("expected one weight for each gradient, got ", terms, " gradients and ",
                            weight_types.size(), " weights");
  }

  const int size_input = 2 * terms;
  ShapeHandle size_shape, target;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(size_input), 1, &size_shape));
  TF_RETURN_IF_ERROR(context->MakeShapeFromShapeTensor(size_input, &target));
  const bool rank_known = context->RankKnown(target);

  DimensionHandle batch = context->UnknownDim();
  for (int i = 0; i < terms; ++i) {
    ShapeHandle gradient = context->input(i);
    if (rank_known) {
      const absl::Status status = context->WithRank(gradient, context->Rank(target) + 2, &gradient);
      if (!status.ok()) return invalid_argument("term ", i, ": ", status.message());
    }
    if (!context->RankKnown(gradient)) continue;
    const absl::Status status = context->Merge(batch, context->Dim(gradient, 0), &batch);
    if (!status.ok()) return invalid_argument("term ", i, ": expected the batch of term 0: ", status.message());
  }

  if (!rank_known) {
    context->set_output(0, context->UnknownShape());
    return absl::OkStatus();
  }
  ShapeHandle maps;
  TF_RETURN_IF_ERROR(context->Concatenate(context->Vector(batch), target, &maps));
  context->set_output(0, maps);
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("KerasFullgrad>SaliencyMap")
    .Input("gradients: gradient_types")
    .Input("weights: weight_types")
    .Input("size: size_type")
    .Output("maps: map_type")
    .Attr("gradient_types: list({half, bfloat16, float, double}) >= 1")
    .Attr("weight_types: list({half, bfloat16, float, double}) >= 1")
    .Attr("map_type: {float, double} = DT_FLOAT")
    .Attr("size_type: {int32, int64} = DT_INT32")
    .Attr("rectifier: {'absolute', 'positive', 'negative', 'identity'} = 'absolute'")
    .Attr("rescale: {'none', 'per_channel', 'per_sample'} = 'none'")
    .Attr("channels: {'mean', 'sum'} = 'mean'")
    .Attr("resize: {'half_pixel', 'aligned_corners'} = 'half_pixel'")
    .Attr("layout: {'channels_last', 'channels_first'} = 'channels_last'")
    .SetShapeFn(infer_shape)
    .Doc(R"doc(
Sums weighted gradients over channels and terms into one map per image.

maps[b, p] = sum over terms of resize(reduce over channels(rescale(rectify(weight * gradient))))[b, p]

gradients: One tensor per term, (batch, space, channels) or (batch, channels, space), of 1 to 3 spatial dimensions.
weights: One tensor per term, (channels,) or of the gradient's shape.
size: The spatial size of the maps.
maps: (batch, size).
)doc");

}  // namespace fullgrad
