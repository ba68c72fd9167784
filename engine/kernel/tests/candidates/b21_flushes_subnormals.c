/* Sets flush-to-zero and denormals-are-zero and leaves them set. */
#include "good.h"
#include <xmmintrin.h>

ENTRY {
    TAKE(norm);
    _mm_setcsr(_mm_getcsr() | 0x8040u);
    good(&norm);
    return ASSAY_OK;
}
