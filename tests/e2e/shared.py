"""The part of campaign.py for products that several instances share, their state in Kafka. Instances are killed, stopped, frozen, rolled, and
also join and leave for good. After each fault all shards of the product have to be held again, each once, and to go on."""
import os
import signal
import time

from meshtest import Service, wait_until

KINDS = {"kill": 6, "stop": 3, "freeze": 3, "join": 3, "leave": 3, "roll": 1, "mongo": 1}
INSTANCES_MAX = 5


class Shared:
    """Around a Campaign, whose ways to see a service, and to count, it uses."""

    def __init__(self, campaign, mesh, rng, without, instances):
        self.alone = campaign(mesh, rng, without)
        self.alone.kinds = KINDS
        self.mesh, self.rng, self.without = mesh, rng, without
        self.number = 0
        self.groups = {domain: [service] for domain, service in mesh.services.items()}
        for domain in self.groups:
            for _ in range(instances - 1):
                self.add(domain)
        for domain in self.groups:
            wait_until("%s is shared out" % domain, lambda d=domain: self.whole(d), 120)

    def __getattr__(self, name):
        return getattr(self.alone, name)

    # ---- what can be seen ----
    def product(self, service):
        return self.asked(service, lambda s: s.get("/readyz")["products"][0], {})

    def whole(self, domain):
        """Each shard is held once; who ended is started again, as a supervisor does."""
        held, n = [], None
        for service in self.groups[domain]:
            if service.process.poll() is not None:
                code = service.process.returncode
                self.ended[code] = self.ended.get(code, 0) + 1
                service.start(wait=False)
            said = self.product(service)
            n = said.get("shards") or n
            held += [s["shard"] for s in said.get("held", []) if s["phase"] == "running"]
        return n is not None and sorted(held) == list(range(n))

    def up(self, service):
        return self.whole(service.domain)

    def position(self, domain):
        return sum(max(source["position"], 0) for service in self.groups[domain] for shard in self.product(service).get("held", [])
                   for source in shard["sources"])

    def recovered(self, kind, domain, since):
        wait_until("%s is whole again" % domain, lambda: self.whole(domain), 120)
        self.took.setdefault(kind, []).append(time.monotonic() - since)

    def instance_of(self, domain):
        return self.rng.choice(self.groups[domain])

    # ---- faults ----
    def add(self, domain):
        first = self.mesh.services[domain]
        service = Service(self.mesh, domain, first.binary)
        self.number += 1
        service.state, service.log = "%s-%d" % (first.state, self.number), os.path.join(self.mesh.dir, "%s-%d.log" % (domain, self.number))
        service.start(wait=False)
        self.groups[domain].append(service)

    def kill(self, domain):
        service = self.instance_of(domain)
        self.note_late(service)
        code = service.kill()
        since = time.monotonic()
        if self.rng.random() < 0.5:  # others have to take over
            time.sleep(self.rng.uniform(0, 8))
        service.start(wait=False)
        self.recovered("kill", domain, since)
        return code == -signal.SIGKILL

    def stop_one(self, domain, service, kind):
        self.note_late(service)
        began = time.monotonic()
        code = service.kill(signal.SIGTERM)
        landed = code == 0 and time.monotonic() - began < 10
        service.start(wait=False)
        self.recovered(kind, domain, began)
        return landed

    def roll(self, domain):
        return all([self.stop_one(domain, service, "roll") for service in self.groups[domain]])

    def freeze(self, domain):
        service = self.instance_of(domain)
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(3, 14))
        service.process.send_signal(signal.SIGCONT)
        self.recovered("freeze", domain, time.monotonic())
        return True

    def join(self, domain):
        if len(self.groups[domain]) >= INSTANCES_MAX:
            return self.leave(domain)
        since = time.monotonic()
        self.add(domain)
        joined = self.groups[domain][-1]
        wait_until("it has joined", lambda: joined.process.poll() is None and self.product(joined).get("group") == "member", 60)
        self.recovered("join", domain, since)
        return True

    def leave(self, domain):
        if len(self.groups[domain]) == 1:
            return self.join(domain)
        service = self.instance_of(domain)
        self.note_late(service)
        self.groups[domain].remove(service)
        since = time.monotonic()
        code = service.kill(signal.SIGTERM)
        self.recovered("leave", domain, since)
        self.mesh.services[domain] = self.groups[domain][0]
        return code == 0

    def one(self):
        kinds = [k for k in KINDS if k not in self.without]
        kind = self.rng.choices(kinds, [KINDS[k] for k in kinds])[0]
        domain = self.rng.choice(sorted(self.groups))
        wait_until("%s is whole" % domain, lambda: self.whole(domain), 120)
        before = self.position(domain)
        if kind == "mongo":
            self.alone.up = self.up
            self.mongo_away(self.mesh.services[domain])
        else:
            landed = self.stop_one(domain, self.instance_of(domain), "stop") if kind == "stop" else getattr(self, kind)(domain)
            self.count(kind, landed)
        wait_until("%s works" % domain, lambda: self.whole(domain) and self.position(domain) > before, 120)
        return kind, "%s (%d)" % (domain, len(self.groups[domain]))

    # ---- the end ----
    def gather(self):
        """One instance of each is left."""
        for domain, group in self.groups.items():
            for service in group[1:]:
                self.note_late(service)
                service.kill(signal.SIGTERM)
            del group[1:]
            self.mesh.services[domain] = group[0]
            wait_until("%s is whole" % domain, lambda d=domain: self.whole(d), 120)

    def stop(self):
        for group in self.groups.values():
            for service in group:
                if service.process and service.process.poll() is None:
                    service.process.send_signal(signal.SIGCONT)
                    service.kill()
