/* RMSNorm, the contract that every implementation in this folder keeps:
 *
 *     out[i][j] = x[i][j] * w[j] / sqrt(mean over j of x[i][j]^2 + eps)
 *
 * `x` and `out` hold rows * cols floats in row order, `w` holds cols floats; the three do not overlap. Any rows >= 1
 * and cols >= 1 are allowed, aligned or not. `x` and `w` are only read, exactly rows * cols values of `out` are
 * written. */
#ifndef RMSNORM_H
#define RMSNORM_H

void rmsnorm(const float *x, const float *w, float *out, int rows, int cols, float eps);

#endif
