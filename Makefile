# Every target is one command of `python3 -m local`, which works without make too.
PYTHON ?= python3
LOCAL := $(PYTHON) -m local
VENV := .venv/bin
export SERVICE SCALE LIMITS FOLLOW DOC QUESTION V
SCENARIO ?= baseline

.PHONY: test-transcription test-ocr help up dev down status logs restart reset backup restore token demo ops rotate-keys test security lint types check faults manifests wheels browser bench-jobs bench-knowledge bench-http bench-statements bench-http-chain bench-growth bench-memory bench-rpc bench-calls trace-call bench-limits bench-overload bench-fanout load policy clients python-client examples alerts configuration capacity protos format lock sbom audit

help:            ## what can be done
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 24

up:              ## start everything, return when healthy (SCALE="gateway=3 realtime=2", LIMITS=bench)
	@$(LOCAL) up
dev:             ## start in the foreground, restart what is edited
	@$(LOCAL) dev
down:            ## stop everything; the data stay
	@$(LOCAL) down
status:          ## processes, pids, memory, ports, health
	@$(LOCAL) status
logs:            ## last lines of the logs (SERVICE=agent, FOLLOW=1)
	@$(LOCAL) logs
restart:         ## restart one after the other (SERVICE=agent)
	@$(LOCAL) restart
reset:           ## stop, and throw all local data away
	@$(LOCAL) reset
backup:          ## database, objects and keys into one archive, without stopping (FILE=path)
	@$(LOCAL) backup $(FILE)
restore:         ## an archive into an empty installation (FILE=path, REPLACE=1 to throw away what it holds)
	@$(LOCAL) restore $(FILE) $(if $(REPLACE),--replace)
token:           ## a principal for calling a service by gRPC (SERVICE=agent)
	@$(LOCAL) token

demo: | $(VENV)  ## the customer's journey against the running suite (DOC=path QUESTION="…", V=1 shows bodies)
	@$(VENV)/python -m local.demo
rotate-keys:     ## replace signing and encryption keys while the suite runs (NAMES="principal encryption.agent"; all)
	@$(LOCAL) keys rotate $(NAMES)
ops: | $(VENV)   ## queues, dead letters, pools and slow queries, live
	@$(VENV)/python -m local.ops
test-transcription: ## the optional speech model, in an environment of its own (190 MB)
	@$(PYTHON) -m local.tools.optional transcription
test-ocr:        ## the optional recognition of scans, in an environment of its own (430 MB)
	@$(PYTHON) -m local.tools.optional ocr
faults: | dev-tools ## the full set of kill, pause and cut tests
	@$(VENV)/python -m tests.faults
manifests: | dev-tools ## build and check every overlay and the Tiltfile, offline
	@$(VENV)/python -m pytest -q tests/manifests
wheels: | dev-tools  ## the wheels of all images into wheels/, to build them without a network
	@# What an older patch level needs is taken too: the base image may have one, and pip asks the markers of this Python.
	@sed -E "s/ ; python_full_version < '[0-9]+\.[0-9]+\.[0-9]+'//" requirements/service-knowledge.txt | \
	    $(VENV)/pip download --quiet --no-deps --only-binary :all: -d wheels -r /dev/stdin
load: | dev-tools ## the paper's load scenarios (SCENARIO=baseline|spike|sustained|stress|sockets|artillery, ARGS=--short)
	@$(VENV)/python -m bench.load $(SCENARIO) $(ARGS)
browser: | dev-tools ## Chromium walks every page of the running suite's console (screenshots in var/browser; ARGS=--pictures: the README's, after make demo)
	@$(VENV)/python -m tests.browser $(ARGS)
bench-jobs: | dev-tools ## our queue beside BullMQ
	@$(VENV)/python -m bench.jobs
bench-knowledge: | dev-tools ## answers to 164 questions in six languages, and the speed of indexing (ARGS="--only ranking|speed|memory|scale")
	@$(VENV)/python -m bench.knowledge $(ARGS)
bench-calls: | dev-tools ## CPU and commits of a call beside a monolith in Node; start the suite with LIMITS=bench first
	@$(VENV)/python -m bench.calls $(ARGS)
trace-call: | dev-tools ## the statements and the CPU of one call; start the suite with LIMITS=bench first
	@$(VENV)/python -m bench.calls --rate 5 --seconds 10 --trace --alone
bench-limits: | dev-tools ## a rate limit over three gateways at twice its rate, under k6: any 60 s, and what it adds
	@$(VENV)/python -m bench.limits $(ARGS)
bench-overload: | dev-tools ## 1, 2 and 10 times what the suite can answer: goodput, times, fairness (starts its own suite)
	@$(VENV)/python -m bench.overload $(ARGS)
bench-fanout: | dev-tools ## our sockets beside Socket.IO: deliveries, connections, latency, memory, a storm (ARGS="--only storm")
	@$(VENV)/python -m bench.fanout $(ARGS)
bench-http: | dev-tools ## our cached reads beside Express and Fastify; start the suite first
	@$(VENV)/python -m bench.http $(ARGS)
bench-statements: | dev-tools ## the statements that PostgreSQL sees for a journey, cache on and off; start the suite with LIMITS=bench first
	@$(VENV)/python -m bench.http.statements
bench-http-chain: | dev-tools ## our misses and writes beside Express, grpc-js and pg; start the suite with LIMITS=bench first
	@$(VENV)/python -m bench.http.chain $(ARGS)
bench-growth: | dev-tools ## our reads with 10 agents and a million, with one gateway and three (starts its own suite)
	@$(VENV)/python -m bench.http.growth $(ARGS)
bench-memory: | dev-tools ## an answer from the first level of the cache, in µs
	@$(VENV)/python -m bench.http.memory
bench-rpc: | dev-tools ## a unary call between two processes: ours, bare grpc.aio, one stream, HTTP/1.1 (and grpclib where it is installed)
	@$(VENV)/python -m bench.rpc $(ARGS)

test:            ## all tests
	@$(LOCAL) test
lint:            ## style, import contracts, protos
	@$(LOCAL) lint
types:           ## the type checker
	@$(LOCAL) types
security:        ## attacks on every public port
	@$(LOCAL) security
check:           ## everything that must pass before a change lands, fastest first
	@$(LOCAL) check

clients: | dev-tools ## generated clients in Python and TypeScript parse the document's answers and run the journey (needs node and npm)
	@$(VENV)/python -m local.tools.clients
policy: | dev-tools ## checkov over every overlay, in an environment of its own (290 MB)
	@$(VENV)/python -m local.tools.policy
alerts: | dev-tools ## promtool sees each alert fire (needs Debian's package prometheus)
	@$(VENV)/python -m local.tools.alerts
configuration: | dev-tools ## write docs/configuration.md from the settings classes
	@$(VENV)/python -m local.tools.configuration
capacity: | dev-tools ## cores, instances, connections and cost for 100 to 100,000 users, from measured costs
	@$(VENV)/python -m bench.capacity $(ARGS)
format: | dev-tools ## let the tools write the style
	@$(VENV)/ruff check --fix --quiet . ; $(VENV)/ruff format . ; $(VENV)/buf format -w
examples: | dev-tools ## record the document's examples from a running suite
	@RECORD_EXAMPLES=1 $(VENV)/python -m pytest -q tests/e2e/test_every_status.py && $(VENV)/python -m gateway openapi
python-client: | dev-tools ## generate the types and methods of clients/python from the OpenAPI document
	@$(VENV)/python -m local.tools.python_client
protos: | dev-tools ## generate the Python beside each .proto
	@$(VENV)/python -m local.tools.protos
sbom: | dev-tools ## a bill of materials (CycloneDX) of each image and environment into var/sbom
	@$(VENV)/python -m local.tools.dependencies sbom
audit: | dev-tools ## withdrawn releases and known vulnerabilities of all that is locked (ADVISORIES=folder of OSV files)
	@$(VENV)/python -m local.tools.dependencies audit $(if $(ADVISORIES),--advisories $(ADVISORIES))
lock: | dev-tools ## resolve the dependency groups into requirements/*.txt, and record licenses (needs npm)
	@$(VENV)/python -m local.tools.lock

.PHONY: dev-tools
dev-tools:
	@$(LOCAL) bootstrap dev
$(VENV):
	@$(LOCAL) bootstrap suite
