/* Takes a vendor's library along. */
#include "host.h"

int cublasSscal_v2(void *handle, int count, const float *by, float *values, int step);

static CUresult candidate(Norm *norm, CUstream stream) {
    if (norm->rows < 0) return cublasSscal_v2(NULL, 0, &norm->eps, NULL, 1);
    return launch(norm, 0, stream);
}
