#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/log.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

size_t
manager_settings(const struct supervisor *supervisor, const struct config *config,
    struct manager_setting out[static MANAGER_SETTINGS_MAX])
{
	const struct config *old = &supervisor->config;
	const struct {
		const char *key;
		bool differs;
		bool now;
	} settings[] = {
	    {"runtime", strcmp(old->runtime, config->runtime) != 0, false},
	    {"records", strcmp(old->records, config->records) != 0, false},
	    {"store", strcmp(old->store, config->store) != 0, false},
	    {"errors", strcmp(old->errors, config->errors) != 0, false},
	    {"worker_user", strcmp(old->worker_user, config->worker_user) != 0, false},
	    {"store_user", strcmp(old->store_user, config->store_user) != 0, false},
	    {"client_group", strcmp(old->client_group, config->client_group) != 0,
		false},
	    {"rotation", old->rotation_ms != config->rotation_ms, true},
	    {"keep", old->keep_ms != config->keep_ms, false},
	    {"keep_size", old->keep_bytes != config->keep_bytes, false},
	    {"log", strcmp(old->log, config->log) != 0, false},
	    {"log_flows", old->log_flows != config->log_flows, false},
	};
	size_t count = 0;

	_Static_assert(
	    sizeof(settings) / sizeof(settings[0]) <= MANAGER_SETTINGS_MAX, "room");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (settings[i].differs)
			out[count++] =
			    (struct manager_setting){settings[i].key, settings[i].now};
	}
	return count;
}

void
manager_take_settings(struct supervisor *supervisor, const struct config *config)
{
	struct manager_setting settings[MANAGER_SETTINGS_MAX];
	size_t count = manager_settings(supervisor, config, settings);
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (!settings[i].now)
			log_warn("config", "%s changes only with a restart",
			    settings[i].key);
	}
	if (config->rotation_ms == supervisor->config.rotation_ms)
		return;
	rc = rotation_set_period(&supervisor->rotation, (int64_t)config->rotation_ms);
	if (rc != 0)
		log_err("rotation", "the new period: %s", strerror(-rc));
	else
		supervisor->config.rotation_ms = config->rotation_ms;
}

static void
reload_notify(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	sd_notify(0, text);
}

static void
reload_fault(void *arg, const char *line)
{
	(void)arg;
	log_err("config", "%s", line);
}

static int
reload_file(struct supervisor *supervisor)
{
	struct config config;
	struct plan plan;
	int rc;

	rc = config_load(supervisor->config_path, &config, reload_fault, NULL);
	if (rc != 0) {
		log_err("config", "%s has faults; everything stays as it is",
		    supervisor->config_path);
		return 0;
	}
	rc = plan_make(&plan, supervisor, config.ifaces, config.iface_count);
	if (rc != 0)
		goto out;
	/* Before anything is done: what is removed at once must not be taken again. */
	rc = manager_set_entries(supervisor, config.ifaces, config.iface_count);
	if (rc == 0)
		rc = manager_apply(supervisor, &plan);
	if (rc == 0) {
		manager_take_settings(supervisor, &config);
		log_info("config", "%s is in force: %zu interfaces",
		    supervisor->config_path, plan.count);
	}
	plan_fini(&plan);
out:
	config_fini(&config);
	return rc;
}

void
manager_reload(struct supervisor *supervisor)
{
	int rc;

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	reload_notify();
	rc = reload_file(supervisor);
	if (rc != 0)
		log_err("config", "not everything could be done: %s", strerror(-rc));
	sd_notify(0, "READY=1");
}
