/* Takes memory in every call and gives none of it back. */
#include "good.h"

static unsigned char *volatile taken_last;

ENTRY {
    TAKE(norm);
    unsigned char *more = malloc(6000);
    if (!more) return ASSAY_NO_MEMORY;
    more[0] = more[5999] = 1;
    taken_last = more;
    good(&norm);
    return ASSAY_OK;
}
