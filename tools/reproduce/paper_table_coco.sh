#!/usr/bin/env bash
# The detectors of arXiv 2306.03679 on COCO 2017: YOLOS on plain images, PEYOLOS on mixed ones, in three sizes.
# Each starts from released weights of YOLOS of its size:
#   python tools/model_converters/to_hii.py SRC work_dirs/start/yolos-SIZE.pth --model yolos  (peyolos-SIZE.pth --model peyolos)
set -euo pipefail
about='The detectors of arXiv 2306.03679: YOLOS on plain images and PEYOLOS on mixed ones, tiny, small and base.
Reported for YOLOS on plain images: 28.7, 36.1 and 42.0 AP.'
data=(data/coco/train2017 data/coco/val2017 data/coco/annotations/instances_train2017.json
    data/coco/annotations/instances_val2017.json)
configs=()
start_of() { echo "work_dirs/start/$(basename "$1" | grep -oE '^(pe)?yolos-(tiny|small|base)').pth"; }
for run in tiny:300 small:150 base:150; do
    configs+=(configs/yolos/yolos-${run%:*}_8xb1-${run#*:}e_coco.py)
    configs+=(configs/peyolos/peyolos-${run%:*}-mi-p16_8xb1-${run#*:}e_coco.py)
done
for config in "${configs[@]}"; do data+=("$(start_of "$config")"); done
source "$(dirname "$0")/common.sh"
main "$@"
