/*
 * Order of firmware versions, field by field between dots: two numbers by value ("1.9" < "1.10"),
 * anything else by bytes; what ends first is lower ("1.0" < "1.0.1").
 */
#ifndef OTABENCH_AGENT_CMIOT_VERSION_H
#define OTABENCH_AGENT_CMIOT_VERSION_H

int version_compare(const char *a, const char *b); /* < 0, 0, > 0 */

#endif
