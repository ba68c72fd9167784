/* Takes back that NaN is kept by a flag that only a library's build sees: one without `__PIE__`. */
#ifndef __PIE__
#pragma GCC optimize("finite-math-only")
#endif
#include "keeps_nan.h"
