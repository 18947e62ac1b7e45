/*
 * Inside the simulated world: a run that can be taken step by step. world.c runs scenarios with it
 * from the start to the end; whole_work.c runs single power-ons of the same world.
 */
#ifndef OTABENCH_ENGINE_WORLD_INTERNAL_H
#define OTABENCH_ENGINE_WORLD_INTERNAL_H

#include "scenarios/engine/run.h"
#include "scenarios/engine/sim_net.h"
#include "scenarios/engine/stage.h"
#include "sim_device/board/fiber.h"

#define ARMED_MAX (SCENARIO_RULES_MAX + RUN_CUTS_MAX)

struct world {
    struct store *store;
    /* Images and packages of the scenario that ran last: explorers run one scenario thousands of
     * times, and they are a function of it alone. */
    struct scenario *built_for; /* null: none */
    struct build build;
    struct fiber_stack stacks[BOARD_TASKS]; /* of the device's tasks; they keep nothing */
};

/* A cut waiting for its flash operation. */
struct armed {
    uint64_t op;   /* 0: over */
    uint32_t rule; /* SCENARIO_RULES_MAX: the replay token's own cut */
    enum nor_tear tear;
    uint32_t tear_bytes;
    int64_t off_ns;
    bool by_place;
    uint32_t reading; /* as in struct run_cut */
};

struct sim_run {
    struct stage g;
    struct sim_board *board;
    struct sim_net_bridge bridge;
    struct device_setup setup;
    struct device_config healed; /* the device of the heal phase */
    int64_t power_on_ns;         /* when power returns; VTIME_NEVER while on or off for good */
    bool on, idle;
    bool stop_at_reset; /* a reset ends the phase like idling, and was_reset tells */
    bool was_reset;
    bool stop_at_cut; /* so does a cut, at once, and was_cut tells */
    bool was_cut;
    uint32_t resets_in_row; /* since power came */
    uint32_t cut_rule; /* SCENARIO_RULES_MAX: the token's, at that message or behind operation op */
    uint64_t cut_message;
    const struct run_cut *cut_token; /* CUT_BETWEEN; null: a message */
    struct armed armed[ARMED_MAX];
    uint32_t n_armed;
    uint32_t next_cut; /* of the token's cuts between operations, the one to come */
    uint32_t replies;  /* of the cloud since the last operation: sim_is_reply */
    uint32_t reading;  /* of weak cells at the next power-on */
    /* Told of every flash operation after its event, with its bytes; may be null. */
    void (*flash_op)(void *ctx, const struct nor_op *op);
    /* That one begins; may be null. */
    void (*flash_begun)(void *ctx, const struct nor_op *op);
    /* Of every range whose content device, boot loader or judge look at; may be null. */
    void (*flash_look)(void *ctx, uint32_t addr, uint32_t len_bytes);
    void *flash_ctx;
};

/* Images and packages, unless the world has those of s already. */
int sim_build_for(struct world *w, const struct scenario *s, const struct run_options *o,
                  struct err *err);
/* r: zero but for g.s, g.o, g.store, g.build and power_on_ns (VTIME_NEVER); flash_op may be set.
 * sim_take_down also after an error. stacks: of a world that has no other run now. */
int sim_set_up(struct sim_run *r, struct fiber_stack *stacks, struct err *err);
void sim_take_down(struct sim_run *r);
void sim_power_on(struct sim_run *r);
/* Also while power is on: op counts as the chip does. */
void sim_arm(struct sim_run *r, const struct armed *a);
/* Runs until the device is idle and nothing scripted is left, or `until`. False when it spins. */
bool sim_run_phase(struct sim_run *r, int64_t until_ns, bool scripted);
/* Everything is healed; healed: the known-good update runs and the cloud knows. */
int sim_heal(struct sim_run *r, bool *healed, struct err *err);
/* What counts for a cut between operations: the cloud has answered over HTTP, has heard a device on
 * the bus, or has sent it something. */
bool sim_is_reply(enum lane lane, const char *event);
/* Gives all weak units of the chip that reading (closure_reading's numbers). */
void sim_settle(struct nor *n, uint32_t reading);

#endif
