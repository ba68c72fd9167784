/* Takes every tensor for one without gaps. */
#include "good.h"

ENTRY {
    TAKE(norm);
    norm.x_step = norm.y_step = norm.columns;
    good(&norm);
    return ASSAY_OK;
}
