#include <string.h>

#include "scenarios/engine/link.h"

#define MS NS_PER_MS

/*
 * One row per access network. Delays are one way. "[S]" figures come from published sources,
 * "[D]" are derived from such, "[A]" are assumptions: treat the last two as illustrative.
 */
static const struct link_profile profiles[] = {
    /* name, text, down, up, one way, jitter, loss, idle, segment */
    {"perfect", "no delay, no limit: the reference", 0, 0, 0, 0, 0, 0, 1460},
    {"lan", "office network behind a relay [A]", 20000000, 20000000, 1 * MS, 1 * MS, 0, 0, 1460},
    {"nbiot-ce0", "NB-IoT, normal coverage: 20/15 kbit/s, 0.9 s RTT [S], radio wake 2 s [D]", 20000,
     15000, 450 * MS, 300 * MS, 5000, 2000 * MS, 1360},
    {"nbiot-ce1", "NB-IoT, 10 dB deeper: repetitions x8 applied to CE0 [D]", 2500, 2000, 1500 * MS,
     1500 * MS, 10000, 3000 * MS, 1360},
    {"nbiot-ce2", "NB-IoT at the edge: 0.5/0.3 kbit/s, 8 s RTT; bounds [S], point [D]", 500, 300,
     4000 * MS, 4000 * MS, 30000, 5000 * MS, 1360},
    {"ltem-good", "LTE-M, half duplex: 300/375 kbit/s, 100 ms RTT [S]", 300000, 375000, 50 * MS,
     30 * MS, 1000, 100 * MS, 1400},
    {"ltem-deep", "LTE-M coverage mode B: 1.4/0.25 kbit/s, 6.2 s [S]", 1400, 250, 3100 * MS,
     1000 * MS, 10000, 1000 * MS, 1400},
    {"cat1-good", "LTE Cat-1 in good coverage: 9/5 Mbit/s, 70 ms [S]", 9000000, 5000000, 35 * MS,
     20 * MS, 0, 50 * MS, 1400},
    {"gprs", "GPRS: 50/20 kbit/s, 500 ms, 1.5 % loss [S]", 50000, 20000, 250 * MS, 50 * MS, 15000,
     700 * MS, 1400},
    {"gprs-rural", "2G in the countryside: 20/18 kbit/s, 650 ms each way, 2 % loss [S]", 20000,
     18000, 650 * MS, 100 * MS, 20000, 1000 * MS, 1400},
    {"edge", "EDGE: 240/200 kbit/s, 840 ms RTT, 1.5 % loss [S]", 240000, 200000, 420 * MS, 40 * MS,
     15000, 500 * MS, 1400},
    {"3g", "UMTS: 1600/768 kbit/s, 300 ms RTT [S]", 1600000, 768000, 150 * MS, 40 * MS, 2000,
     500 * MS, 1400},
    {"wifi-congested", "crowded Wi-Fi: 2/1 Mbit/s [A], spikes to 100 ms, 0.12 % loss [S]", 2000000,
     1000000, 2 * MS, 100 * MS, 1200, 0, 1460},
    {"elevator", "gprs-like, meant to be cut by outages of 15-60 s [A]", 50000, 20000, 250 * MS,
     100 * MS, 10000, 3000 * MS, 1400},
    {"tunnel", "moving train: 500/200 kbit/s, 200 ms [D], meant to be cut by outages", 500000,
     200000, 100 * MS, 100 * MS, 5000, 1000 * MS, 1400},
    {"ntn-geo", "NB-IoT over a geostationary satellite: 2/1 kbit/s, 600 ms floor [S]", 2000, 1000,
     600 * MS, 4000 * MS, 10000, 5000 * MS, 1160},
};

const struct link_profile *link_profile_at(size_t index)
{
    return index < sizeof profiles / sizeof profiles[0] ? &profiles[index] : NULL;
}

const struct link_profile *link_profile_find(const char *name)
{
    const struct link_profile *p;
    for (size_t i = 0; (p = link_profile_at(i)) != NULL; i++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}
