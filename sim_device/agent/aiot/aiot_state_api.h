/*
 * State codes that all parts of the 4.x Link SDK share, and the hook that sees them.
 *
 * Every call that does not succeed returns one of the codes, and the code passes through the hook
 * first; so do the states a call goes through (data received, digest matched).
 */
#ifndef OTABENCH_AGENT_AIOT_STATE_API_H
#define OTABENCH_AGENT_AIOT_STATE_API_H

#include <stdint.h>

#define STATE_SUCCESS (0x0000)

#define STATE_USER_INPUT_BASE                  (-0x0100)
#define STATE_USER_INPUT_NULL_POINTER          (-0x0101)
#define STATE_USER_INPUT_OUT_OF_RANGE          (-0x0102)
#define STATE_USER_INPUT_UNKNOWN_OPTION        (-0x0103)
#define STATE_USER_INPUT_MISSING_PRODUCT_KEY   (-0x0104)
#define STATE_USER_INPUT_MISSING_DEVICE_NAME   (-0x0105)
#define STATE_USER_INPUT_MISSING_DEVICE_SECRET (-0x0106)
#define STATE_USER_INPUT_MISSING_HOST          (-0x0108)
#define STATE_USER_INPUT_EXEC_DISABLED         (-0x0109)

#define STATE_SYS_DEPEND_BASE          (-0x0200)
#define STATE_SYS_DEPEND_MALLOC_FAILED (-0x0201)

#define STATE_MQTT_BASE                                (-0x0300)
#define STATE_MQTT_CONNACK_RCODE_UNACCEPTABLE_PROTOCOL (-0x0302)
#define STATE_MQTT_CONNACK_RCODE_IDENTIFIER_REJECTED   (-0x0303)
#define STATE_MQTT_CONNACK_RCODE_SERVER_UNAVAILABLE    (-0x0304)
#define STATE_MQTT_CONNACK_RCODE_BAD_USERNAME_PASSWORD (-0x0305)
#define STATE_MQTT_CONNACK_RCODE_NOT_AUTHORIZED        (-0x0306)

#define STATE_PORT_BASE             (-0x0F00)
#define STATE_SYS_DEPEND_NWK_CLOSED (-0x0F15) /* not connected, or the connection went */

/* Called with each state code. message: the code as text, for the call only. */
typedef int32_t (*aiot_state_logcb_t)(int32_t code, char *message);

/* Of the running task's device. Null: no hook. STATE_SUCCESS. */
int32_t aiot_state_set_logcb(aiot_state_logcb_t handler);

/* The code, after the hook and the event "state" {code} have seen it. For the SDK's own use. */
int32_t aiot_state(int32_t code);

#endif
