# shardmill: build, test, install. `make list` names the targets.
#   CC=clang               build with clang and libomp (default: gcc and libgomp)
#   SAN=address,undefined  build with sanitizers
#   V=1                    show commands;  DEPS=no: never install packages;  BUILD=dir: build elsewhere
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

ifeq ($(origin CC),default)
CC := gcc
endif
CXX     ?= g++
AR      ?= ar
PREFIX  ?= /usr/local
DESTDIR ?=
DEPS    ?= yes
PYTHON  ?= /usr/bin/python3
PKG_CONFIG ?= pkg-config

empty :=
comma := ,
SAN   ?=
BUILD ?= build/$(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
# One name for each file, however the folder was called: else what depends on what is forgotten.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))

VERSION := $(shell sed -n 's/^.define MILL_VERSION  *"\(.*\)"/\1/p' include/shardmill/types.h)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HOUSE  := -std=gnu17 -D_GNU_SOURCE -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -MMD -MP
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
INC    := -Iinclude -Isrc
LIBS   := -ljpeg -luring -lxxhash -ljansson -lz -ldl -lm -lpthread
ALL_CFLAGS = $(HOUSE) $(WARN) $(SANFLAGS) $(CFLAGS) $(CPPFLAGS)

ARCH := $(shell $(CC) -dumpmachine 2>/dev/null)
ifneq ($(filter x86_64%,$(ARCH)),)
LEVELS := x86-64-v3 x86-64-v4
endif

# Each src/kernel/*_levels.c is compiled once a level; everything else once.
LEVEL_SRCS := $(wildcard src/kernel/*_levels.c)
LIB_SRCS := $(filter-out $(LEVEL_SRCS),$(wildcard src/*.c $(addprefix src/,$(addsuffix /*.c,base source format sample transform kernel sink engine api))))
CLI_SRCS := $(wildcard src/cli/*.c)
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/%.o) \
            $(foreach s,$(LEVEL_SRCS),$(foreach l,base $(LEVELS),$(BUILD)/$(s:%.c=%).$(l).o))
CLI_OBJS := $(CLI_SRCS:%.c=$(BUILD)/%.o)
UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/tests/%)
BENCH_SRCS := $(wildcard bench/*.c)
BENCHES    := $(BENCH_SRCS:bench/%.c=$(BUILD)/bench/%)
BENCH_SCRIPTS := $(wildcard bench/*.sh)
EXAMPLES   := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))

LIB_A  := $(BUILD)/libshardmill.a
LIB_SO := $(BUILD)/libshardmill.so.$(VERSION)
BIN    := $(BUILD)/shardmill

SYNTH  := $(BUILD)/synth
ABS    := $(abspath $(BUILD))
SCRIPT_ENV = BUILD='$(ABS)' MILL='$(abspath $(BIN))' SRC='$(CURDIR)' PYTHON='$(PYTHON)' CC='$(CC)' CXX='$(CXX)' SAN='$(SAN)' \
             PKG_CONFIG='$(PKG_CONFIG)'

.PHONY: all lib list deps demo check lint bench install uninstall fuzz unit-tests benches examples clean
all: lib $(BIN) ## build the library and the command (default)
lib: $(LIB_A) $(LIB_SO)

list: ## this list
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo '  bench-NAME    one figure:' $(patsubst bench/%.sh,%,$(BENCH_SCRIPTS))
	@sed -n 's/^#\(   [A-Z].*\)/\1/p' Makefile

# OpenMP is used by the engine alone (src/engine/team.c).
$(BUILD)/src/engine/team.o: HOUSE += -fopenmp

$(LIB_OBJS) $(CLI_OBJS): | $(BUILD)/.deps-build

$(filter-out $(BUILD)/src/cli/%,$(LIB_SRCS:%.c=$(BUILD)/%.o)): $(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -c $< -o $@

# The command sees the public headers only.
$(CLI_OBJS): $(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iinclude -c $< -o $@

define level_rule
$$(BUILD)/$(1:%.c=%).$(2).o: $(1)
	$$(call say,CC,'$(1) ($(2))')
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -O3 $(if $(filter-out base,$(2)),-march=$(2)) -DMILL__LEVEL=$(subst -,_,$(2)) -DMILL__LEVEL_NAME='"$(2)"' $$(INC) -c $$< -o $$@
endef
$(foreach s,$(LEVEL_SRCS),$(foreach l,base $(LEVELS),$(eval $(call level_rule,$(s),$(l)))))

$(LIB_A): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJS) src/shardmill.map
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -shared -fopenmp -Wl,-soname,libshardmill.so.$(MAJOR) \
	  -Wl,--version-script,src/shardmill.map $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-z,nodelete $(LIB_OBJS) $(LIBS) -o $@
	$(Q)ln -sf $(notdir $@) $(BUILD)/libshardmill.so.$(MAJOR) && ln -sf $(notdir $@) $(BUILD)/libshardmill.so

$(BIN): $(CLI_OBJS) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -fopenmp $(CLI_OBJS) $(LIB_A) $(LIBS) -o $@

# Unit tests see the inside and link the static library.
$(UNIT_TESTS): $(BUILD)/tests/%: tests/unit/%.c $(LIB_A)
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -Itests -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) \
	  $$($(PKG_CONFIG) --cflags --libs check) $(OWN_LIBS) -ldl -o $@

$(BENCHES): $(BUILD)/bench/%: bench/%.c $(LIB_A)
	$(call say,BENCH,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) -o $@

$(EXAMPLES): $(BUILD)/examples/%: examples/%.c $(LIB_A)
	$(call say,EXAMPLE,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iinclude -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) $(OWN_LIBS) -o $@

# What stands for a host program has a BLAS of its own.
$(BUILD)/examples/train_softmax $(BUILD)/tests/test_loader_host: OWN_LIBS = $$($(PKG_CONFIG) --cflags --libs openblas)
$(EXAMPLES): | $(BUILD)/.deps-check

# The generator of photograph-like data sets stands alone, but for libjpeg.
$(SYNTH): data/synth.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(LDFLAGS) -ljpeg -lm -o $@

unit-tests: $(UNIT_TESTS)
benches: $(BENCHES) $(SYNTH) $(BIN)
examples: $(EXAMPLES)

# ---- packages ----
$(BUILD)/.deps-build $(BUILD)/.deps-check $(BUILD)/.deps-all: $(BUILD)/.deps-%: .ci/deps.sh
	@mkdir -p $(@D)
	@CC='$(CC)' CXX='$(CXX)' DEPS='$(DEPS)' PYTHON='$(PYTHON)' sh .ci/deps.sh $*
	@touch $@

$(UNIT_TESTS): | $(BUILD)/.deps-check

deps: ## install what is missing for building, testing and lint
	@CC='$(CC)' CXX='$(CXX)' DEPS='$(DEPS)' PYTHON='$(PYTHON)' sh .ci/deps.sh all

# ---- what people run ----
demo: $(BUILD)/.deps-check $(BIN) $(SYNTH) ## run the main job on the demo data set
	@$(SCRIPT_ENV) sh data/demo.sh

check: $(BUILD)/.deps-check all unit-tests examples benches ## build and run every test
	@$(SCRIPT_ENV) bash tests/run.sh

BENCH_NAMES := $(filter-out common,$(patsubst bench/%.sh,%,$(BENCH_SCRIPTS)))
.PHONY: $(addprefix bench-,$(BENCH_NAMES))
bench: $(addprefix bench-,$(BENCH_NAMES)) ## measure every figure; see bench/README.md
$(addprefix bench-,$(BENCH_NAMES)): bench-%: $(BUILD)/.deps-check benches
	@scratch=$$(mktemp -d '$(ABS)/bench-$*.XXXXXX') && cd "$$scratch" && \
	  $(SCRIPT_ENV) bash '$(CURDIR)/bench/$*.sh'; status=$$?; rm -rf "$$scratch"; exit $$status

# ---- lint: the tools that are there ----
C_FILES    := $(wildcard src/*.[ch] src/*/*.[ch] include/shardmill/*.h tests/*.h tests/*/*.[ch] bench/*.[ch] examples/*.c data/*.c data/synth/*.h)
TIDY_FILES := $(LIB_SRCS) $(LEVEL_SRCS) $(CLI_SRCS)
TIDY_STAMPS := $(TIDY_FILES:%.c=build/tidy/%.ok)
lint: ## layers, clang-format and clang-tidy
	@sh tests/layers.sh
	@if command -v clang-format >/dev/null; then clang-format --dry-run -Werror $(C_FILES) && echo 'clang-format: clean'; \
	  else echo 'clang-format: skipped, not installed'; fi
	@if command -v clang-tidy >/dev/null; then $(MAKE) --no-print-directory -j$(shell nproc) tidy && echo 'clang-tidy: clean'; \
	  else echo 'clang-tidy: skipped, not installed'; fi
.PHONY: tidy
tidy: $(TIDY_STAMPS)
$(TIDY_STAMPS): build/tidy/%.ok: %.c .clang-tidy $(wildcard src/*/*.h include/shardmill/*.h)
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(filter-out -MMD -MP,$(HOUSE)) -fopenmp $(INC) -DMILL__LEVEL=base -DMILL__LEVEL_NAME='"c"' 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# ---- fuzzers: for a person to leave running; make check runs them briefly ----
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(FUZZERS) ## build the libFuzzer targets (clang) into build/fuzz
$(FUZZERS): build/fuzz/%: tests/fuzz/%.c
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz/lib SAN=fuzzer-no-link,address,undefined build/fuzz/lib/libshardmill.a
	$(call say,FUZZ,$<)
	$(Q)clang $(HOUSE) -g -O1 -fsanitize=fuzzer,address,undefined $(INC) -Itests -fopenmp $< build/fuzz/lib/libshardmill.a $(LIBS) -o $@

# ---- install ----
LIBDIR ?= $(PREFIX)/lib
PUBLIC := $(wildcard include/shardmill/*.h)
install: all ## command, libraries, headers, pkg-config file and man page into DESTDIR/PREFIX
	@mkdir -p $(BUILD)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' 'Name: shardmill' \
	  'Description: turns shards of raw data into what a training job eats' 'Version: $(VERSION)' \
	  'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lshardmill' 'Libs.private: -fopenmp $(LIBS)' > $(BUILD)/shardmill.pc
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/shardmill $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(LIB_A) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(LIB_SO) $(DESTDIR)$(LIBDIR)/
	ln -sf $(notdir $(LIB_SO)) $(DESTDIR)$(LIBDIR)/libshardmill.so.$(MAJOR)
	ln -sf libshardmill.so.$(MAJOR) $(DESTDIR)$(LIBDIR)/libshardmill.so
	install -m 644 $(PUBLIC) $(DESTDIR)$(PREFIX)/include/shardmill/
	install -m 644 $(BUILD)/shardmill.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 docs/shardmill.1 $(DESTDIR)$(PREFIX)/share/man/man1/
uninstall: ## take back what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/shardmill $(DESTDIR)$(LIBDIR)/libshardmill.* $(DESTDIR)$(LIBDIR)/pkgconfig/shardmill.pc
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/shardmill.1
	rm -rf $(DESTDIR)$(PREFIX)/include/shardmill

clean: ## remove what was built
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
