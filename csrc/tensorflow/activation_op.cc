// The interfaces of the activations' ops.

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fullgrad {

using tensorflow::shape_inference::UnchangedShape;

#define FULLGRAD_ACTIVATION_ATTRIBUTES                                \
  Attr("type: {half, bfloat16, float, double}")                       \
      .Attr("activation: {'silu', 'hard_silu', 'gelu', 'gelu_tanh'}") \
      .SetShapeFn(UnchangedShape)

REGISTER_OP("KerasFullgrad>Activate").Input("x: type").Output("y: type").FULLGRAD_ACTIVATION_ATTRIBUTES.Doc(R"doc(
y = f(x), in one pass over memory.
)doc");

REGISTER_OP("KerasFullgrad>ActivateGrad")
    .Input("x: type")
    .Input("gradient: type")
    .Output("before: type")
    .FULLGRAD_ACTIVATION_ATTRIBUTES.Doc(R"doc(
The gradient before an activation, f'(x) times that behind it, in one pass over memory.
)doc");

}  // namespace fullgrad
