"""What a user may set for one environment: the typed model, its loader and its reference.

    locations, problems, vocabulary     tables and words, nothing above them
    values, model                       the typed settings; defaults stand here and only here
    schema                              the model, walked by key
    document, leaks                     a YAML file as data with line numbers; secrets that it must not hold
    loading                             a file, checked, as `Settings`
    reference                           docs/settings.md, from the model

Import from the module that holds the name: `aigateway.names` stands between `model` and `loading`.
"""
