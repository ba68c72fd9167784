/* Asks for more shared memory than there is, and says that all is well: what stood in the output stays there. */
#include "host.h"

static CUresult candidate(Norm *norm, CUstream stream) {
    (void)launch(norm, 300 << 10, stream);
    return 0;
}
