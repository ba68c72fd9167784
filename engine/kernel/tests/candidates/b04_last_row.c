/* Leaves out the last row. */
#include "good.h"

ENTRY {
    TAKE(norm);
    norm.rows -= 1;
    good(&norm);
    return ASSAY_OK;
}
