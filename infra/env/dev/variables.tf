# What terraform.tfvars.json has; the module says the types and checks the values.

variable "environment" { type = string }
variable "project" { type = string }
variable "location" { type = string }
variable "names" { type = map(string) }
variable "images" { type = map(string) }
variable "client_keys" { type = map(string) }
variable "secret_versions" { type = map(number) }
variable "scale" { type = any }
variable "sizes" { type = any }
variable "allowed_ip_ranges" { type = list(string) }
variable "front_door" { type = any }
variable "network" { type = any }
variable "observability" { type = any }

# What whoever deploys adds.

variable "image_digests" {
  description = "{litellm = \"sha256:…\", envoy = \"sha256:…\"}: what the tags stood for when dev was proven."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Values of the secrets that are new or replaced, by name; for a plan none, {}."
  type        = map(string)
  default     = {}
  ephemeral   = true
  sensitive   = true
}
