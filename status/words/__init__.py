"""The pages' words, one TOML file a language; ``status.pages.words`` reads them."""
