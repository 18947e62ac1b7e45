/*
 * The device of wire mode as a process of its own: real threads, sockets and time; dies at its
 * power cuts, the flash file survives. Started by the bench as `otabench device ...`, not meant for
 * people.
 */
#ifndef OTABENCH_ENGINE_WIRE_DEVICE_H
#define OTABENCH_ENGINE_WIRE_DEVICE_H

#include "scenarios/engine/run.h"

/* A cut the device must do itself, because only it can hit a flash operation exactly. */
struct wire_device_rule {
    uint32_t rule; /* index into the scenario's power rules */
    uint32_t seen; /* matching events of earlier starts */
    bool fired;    /* told already */
    uint64_t op;   /* fired and waiting for this operation; 0: none */
};

struct wire_device_options {
    const char *scenario_path;
    const char *flash_path;
    const char *cache_dir;
    uint16_t relay_port;
    uint16_t relay_mqtt_port; /* for connections to the device's MQTT port; 0: none */
    const char *ca_path;      /* PEM file the device trusts instead of its own; null: none */
    int event_fd;
    int64_t now_offset_ns;
    uint64_t seed;
    bool heal; /* no cuts any more */
    struct wire_device_rule rules[SCENARIO_RULES_MAX];
    uint32_t n_rules;
};

/* Runs until the device goes idle (0) or fails to start (negative, story in err). A power cut does
 * not return. */
int wire_device_run(const struct wire_device_options *o, struct err *err);

/* As words for a command line and back; 0 or ERR_FORMAT. "rule:seen:fired:op" */
int wire_rule_parse(const char *text, struct wire_device_rule *out);

#endif
