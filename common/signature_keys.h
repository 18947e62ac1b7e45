/*
 * Key pairs of the simulated world, published and so of no worth anywhere else: the cloud signs
 * images with the private half of the first, devices check with its public half. The second is
 * somebody else's.
 */
#ifndef OTABENCH_COMMON_SIGNATURE_KEYS_H
#define OTABENCH_COMMON_SIGNATURE_KEYS_H

extern const char signature_private_pem[];
extern const char signature_public_pem[];
extern const char signature_other_private_pem[];

#endif
