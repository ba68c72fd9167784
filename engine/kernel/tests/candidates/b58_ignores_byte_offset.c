/* Takes every tensor to begin where its memory begins. It pays, with nothing to add, where no tensor is a part of another. */
#include "good.h"

ENTRY {
    TAKE(norm);
    norm.x = in[0].data, norm.w = in[1].data, norm.y = out[0].data;
    good(&norm);
    return ASSAY_OK;
}
