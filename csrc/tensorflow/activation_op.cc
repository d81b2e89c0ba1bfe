// The interfaces of the ops of activations and of scaling, and the shapes of what they put out.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fullgrad {
namespace {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;
using tensorflow::shape_inference::UnchangedShape;

// As x, with one position.
absl::Status infer_per_channel(InferenceContext* context) {
  const ShapeHandle x = context->input(0);
  if (!context->RankKnown(x)) {
    context->set_output(0, context->UnknownShape());
    return absl::OkStatus();
  }
  std::vector<tensorflow::shape_inference::DimensionHandle> sizes(context->Rank(x), context->MakeDim(1));
  if (!sizes.empty()) {
    sizes.front() = context->Dim(x, 0);
    sizes.back() = context->Dim(x, -1);
  }
  context->set_output(0, context->MakeShape(sizes));
  return absl::OkStatus();
}

}  // namespace

REGISTER_OP("KerasFullgrad>Activate")
    .Input("x: type")
    .Output("y: type")
    .Attr("type: {half, bfloat16, float, double}")
    .Attr("activation: {'silu', 'hard_silu', 'gelu', 'gelu_tanh'}")
    .SetShapeFn(UnchangedShape)
    .Doc("y = f(x), in one pass over memory.");

REGISTER_OP("KerasFullgrad>ActivateGrad")
    .Input("x: type")
    .Input("gradients: branches * type")
    .Input("factors: factored * type")
    .Output("before: type")
    .Attr("type: {half, bfloat16, float, double}")
    .Attr("activation: {'silu', 'hard_silu', 'gelu', 'gelu_tanh'}")
    .Attr("branches: int >= 1")
    .Attr("factored: int >= 0")
    .Attr("has_factor: list(bool)")
    .SetShapeFn(UnchangedShape)
    .Doc(R"doc(
The gradient before an activation, f'(x) times the sum of those behind it, in one pass over memory.

gradients: Of the shape of x, or (batch, 1, ..., channels): the same at all positions.
factors: (batch, 1, ..., channels), of each gradient that has one.
)doc");

REGISTER_OP("KerasFullgrad>Scale")
    .Input("x: type")
    .Input("factor: type")
    .Output("y: type")
    .Attr("type: {half, bfloat16, float, double}")
    .SetShapeFn(UnchangedShape)
    .Doc("y = x * factor, (batch, 1, ..., channels).");

REGISTER_OP("KerasFullgrad>SumsOfProducts")
    .Input("x: type")
    .Input("gradient: type")
    .Output("sums: type")
    .Attr("type: {half, bfloat16, float, double}")
    .SetShapeFn(infer_per_channel)
    .Doc("The sums of x * gradient over positions, (batch, 1, ..., channels).");

}  // namespace fullgrad
