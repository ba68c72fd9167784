/* Works on the default stream in place of the caller's. */
#include "host.h"

static CUresult candidate(Norm *norm, CUstream stream) {
    (void)stream;
    return launch(norm, 0, NULL);
}
