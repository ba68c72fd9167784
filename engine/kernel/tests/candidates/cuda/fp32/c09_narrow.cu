// C09: inputs with ten bits of fraction, as matrix units read binary32 in their tf32 mode.
#define VALUE(x) __uint_as_float(__float_as_uint(x) & 0xffffe000u)
#include "good.cu"
