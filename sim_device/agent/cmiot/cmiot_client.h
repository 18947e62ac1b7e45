/* Initialisation of the CMIOT OTA component (seed 000 §3.2.1). */
#ifndef OTABENCH_CMIOT_CLIENT_H
#define OTABENCH_CMIOT_CLIENT_H

/* Optional: every call initialises by itself. 0, or E_CMIOT_NOT_INITTED when the device has no
 * configuration or no download partition. */
int cmiot_init(void);

#endif
