/* Takes back that NaN is kept by an attribute whose argument stands in parentheses of its own. */
#define HOW __attribute__((noinline, optimize(("finite-math-only"))))
#include "keeps_nan.h"
