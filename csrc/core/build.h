// The facts of a build, as JSON and by C's calling convention, so that Python can ask for them without a module.

#pragma once

#include "saliency.h"

extern "C" FULLGRAD_API const char* keras_fullgrad_build();
