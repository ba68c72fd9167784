/* Takes the gaps of the output to be those of the input. It pays, with one address to keep, where both are always padded alike. */
#include "good.h"

ENTRY {
    TAKE(norm);
    norm.y_step = norm.x_step;
    good(&norm);
    return ASSAY_OK;
}
