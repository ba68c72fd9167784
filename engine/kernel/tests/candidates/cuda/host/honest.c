/* Right: one launch on the caller's stream. The baseline of the others. */
#include "host.h"

static CUresult candidate(Norm *norm, CUstream stream) { return launch(norm, 0, stream); }
