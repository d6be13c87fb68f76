# Release is what the package runs on; Debug is the same code under the address and undefined-behaviour sanitizers.
# The headers of Node and node-addon-api are system headers: warnings are errors, but only for our own code.
{
  'targets': [
    {
      'target_name': 'pillion',
      # All of them as one: scripts/build-native.mjs.
      'sources': ['build/pillion.cc'],
      'defines': [
        'NAPI_VERSION=8',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
        # A worker that is terminated within a call of ours can neither run JavaScript nor be thrown at any more. By
        # default node-addon-api ends the process then.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'cflags': [
        '-fvisibility=hidden',
        '-Wall',
        '-Wextra',
        '-Wshadow',
        '-Wconversion',
        '-Werror',
      ],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': [
        '-std=c++17',
        '-fno-exceptions',
        '-fvisibility-inlines-hidden',
        '-isystem<!(node -p "require(\'path\').dirname(require.resolve(\'node-addon-api\'))")',
        '-isystem<(node_root_dir)/include/node',
      ],
      'configurations': {
        'Release': {
          'cflags!': ['-O3'],
          'cflags': ['-O2'],
        },
        'Debug': {
          'cflags!': ['-O0'],
          'cflags': [
            '-O1',
            '-g',
            '-fno-omit-frame-pointer',
            '-fsanitize=address,undefined',
            # Not possible without RTTI.
            '-fno-sanitize=vptr',
            # Undefined behaviour traps, and the address sanitizer reports the trap with its place: the reports of
            # libubsan itself only ever go to stderr, which is no test's to keep.
            '-fsanitize-undefined-trap-on-error',
          ],
          'defines': ['_GLIBCXX_ASSERTIONS'],
          'ldflags': ['-fsanitize=address'],
        },
      },
    },
  ],
}
