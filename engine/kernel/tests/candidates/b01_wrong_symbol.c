/* Offers its entry under another name. */
#define kv_entry kv_entry_v2
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    return ASSAY_OK;
}
