// The interfaces of the activations' ops.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"

namespace fullgrad {

using tensorflow::shape_inference::UnchangedShape;

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

}  // namespace fullgrad
