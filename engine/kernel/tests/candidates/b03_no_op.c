/* Does nothing and says that it did. */
#include "good.h"

ENTRY {
    TAKE(norm);
    (void)norm;
    return ASSAY_OK;
}
