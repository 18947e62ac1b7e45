/* Types, limits and results of the CMIOT OTA component, spelt as the vendor spells them (seed 000
 * §3.2; cms-ota §5). */
#ifndef OTABENCH_CMIOT_TYPE_H
#define OTABENCH_CMIOT_TYPE_H

typedef char cmiot_char;
typedef unsigned char cmiot_uint8;
typedef signed char cmiot_int8;
typedef unsigned short cmiot_uint16;
typedef signed short cmiot_int16;
typedef unsigned int cmiot_uint32;
typedef signed int cmiot_int32;
typedef unsigned long long cmiot_uint64;
typedef signed long long cmiot_int64;

#define CMIOT_MID_MAXLEN           31
#define CMIOT_DEVICEID_MAX_LEN     31
#define CMIOT_DEVICESECRET_MAX_LEN 63
#define CMIOT_VERSION_NAME_MAX     128 /* terminator included */

#define E_CMIOT_SUCCESS           0
#define E_CMIOT_FAILURE           (-1) /* no network, refused by the server, flash or MD5 error */
#define E_CMIOT_NOMEMORY          (-2)
#define E_CMIOT_NOT_INITTED       (-3)
#define E_CMIOT_LAST_VERSION      (-4) /* nothing newer */
#define E_CMIOT_NO_UPGRADE        (-5) /* nothing to report */
#define E_CMIOT_CTW_INIT_FAIL     (-6)
#define E_CMIOT_PAKAGE_TOO_LARGE  (-7)                     /* the vendor's spelling */
#define E_CMIOT_PACKAGE_TOO_LARGE E_CMIOT_PAKAGE_TOO_LARGE /* the document's */
#define E_CMIOT_NEW_VERSION_EXIST (-8) /* downloaded already: restart to install */

#endif
